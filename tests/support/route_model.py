"""A model of a tenant in plain Python: the effect of each operation on its routes, without the product's code."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from itertools import pairwise
from typing import TypeAlias

Name: TypeAlias = str
Value: TypeAlias = tuple[str, bool]
"""URL, and whether the route is active."""
State: TypeAlias = dict[Name, Value]


class Refused(Exception):
    """The operation is rejected. The message is the class name of the product's error."""


@dataclass(frozen=True)
class Change:
    """A change of one route. `url` None keeps the current URL."""

    name: Name
    url: str | None
    is_active: bool


@dataclass(frozen=True)
class Apply:
    """A change set of some routes."""

    changes: tuple[Change, ...]


@dataclass(frozen=True)
class Replace:
    """A desired set of all routes."""

    routes: Mapping[Name, str]
    allow_mass: bool


@dataclass(frozen=True)
class Undo:
    """A revert of one revision, `back` revisions before the newest."""

    back: int
    force: bool


@dataclass(frozen=True)
class GoBack:
    """A revert to a revision, `back` revisions before the newest."""

    back: int
    allow_mass: bool


Operation: TypeAlias = Apply | Replace | Undo | GoBack


@dataclass
class ModelTenant:
    """A tenant. `states[n]` holds its routes at revision n."""

    states: list[State] = field(default_factory=lambda: [{}])

    @property
    def revision(self) -> int:
        return len(self.states) - 1

    def after(self, operation: Operation, target: int) -> State:
        """The routes after an operation on the newest state. `target`: the revision of a revert, ignored otherwise.

        Raises Refused.
        """
        state = dict(self.states[-1])
        if isinstance(operation, Apply):
            for each in operation.changes:
                if each.url is None and each.name not in state:
                    raise Refused("NoSuchRoutes")
                state[each.name] = (each.url or state[each.name][0], each.is_active)
        elif isinstance(operation, Replace):
            self._replace(state, operation)
        elif isinstance(operation, Undo):
            self._undo(state, operation, target)
        else:
            then = self.states[target]
            kept = {name for name, (_, is_active) in then.items() if is_active}
            self._gone(state, kept, allow_mass=operation.allow_mass)
            state = {name: then.get(name, (url, False)) for name, (url, _) in state.items()}
        return state

    @staticmethod
    def _gone(state: State, kept: Collection[Name], *, allow_mass: bool) -> list[Name]:
        active = [name for name, (_, is_active) in state.items() if is_active]
        gone = [name for name in active if name not in kept]
        if len(gone) > 0.2 * len(active) and not allow_mass:
            raise Refused("MassDeactivation")
        return gone

    def _replace(self, state: State, operation: Replace) -> None:
        gone = self._gone(state, operation.routes, allow_mass=operation.allow_mass)
        state.update({name: (state[name][0], False) for name in gone})
        state.update({name: (url, True) for name, url in operation.routes.items()})

    def _undo(self, state: State, operation: Undo, target: int) -> None:
        before, after = self.states[target - 1], self.states[target]
        for name in (each for each in after if after[each] != before.get(each)):
            old = before.get(name, (state[name][0], False))
            if state[name] != old and self._changed_after(name, target) and not operation.force:
                raise Refused("RevertConflict")
            state[name] = old

    def _changed_after(self, name: Name, revision: int) -> bool:
        later = self.states[revision:]
        return any(one.get(name) != two.get(name) for one, two in pairwise(later))
