"""Intents: the ways in which a caller can describe a change of a tenant's routes, besides listing each change."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TypeAlias

from control_plane.domain.changes import WantedChangeSet, WantedRoute, refuse_inconsistent
from control_plane.domain.routes import Route
from shared.schemas.events import MAX_CHANGES, RouteChange
from shared.schemas.identity import RouteKey
from shared.schemas.route_value import RouteValue


@dataclass(frozen=True, slots=True)
class Scope:
    """The part of a tenant's routes that a desired set replaces; None does not restrict."""

    service: str | None = None
    env: str | None = None

    def contains(self, key: RouteKey) -> bool:
        """Whether the key is within the scope."""
        return self.service in (None, key.service) and self.env in (None, key.env)


EVERYTHING = Scope()


@dataclass(frozen=True, slots=True)
class DesiredSet:
    """All routes that are to exist within a scope: missing routes are created, and routes it does not name deactivated.

    Raises InvalidInput for a route named twice, of another tenant, or out of scope.
    """

    tenant: str
    routes: tuple[WantedRoute, ...]
    scope: Scope = EVERYTHING
    allow_mass_deactivation: bool = False

    def __post_init__(self) -> None:
        refuse_inconsistent("/routes", self.tenant, self.routes, self.scope.contains)

    def wanted(self, current: Mapping[RouteKey, Route]) -> tuple[WantedRoute, ...]:
        """The named routes, then the active routes within the scope that it does not name, as inactive.

        `current` holds all routes within the scope.
        """
        named = {each.key for each in self.routes}
        unnamed = [key for key, route in current.items() if route.value.is_active and key not in named]
        if len(unnamed) <= MAX_CHANGES:  # otherwise the plan is refused, and sorting keys would block the process
            unnamed.sort()
        return (*self.routes, *(WantedRoute(key, is_active=False) for key in unnamed))


@dataclass(frozen=True, slots=True)
class Revert:
    """Undo one change set. Routes that a later change set changed are refused, unless `force`."""

    tenant: str
    revision: int
    force: bool = False


@dataclass(frozen=True, slots=True)
class RevertTo:
    """Return every route to its value at a revision; routes created since are deactivated."""

    tenant: str
    revision: int
    allow_mass_deactivation: bool = False


Intent: TypeAlias = WantedChangeSet | DesiredSet | Revert | RevertTo


def undoing(tenant: str, changes: Sequence[RouteChange]) -> tuple[WantedRoute, ...]:
    """The routes with their values before these changes. Routes are never deleted: a created route becomes inactive."""
    return tuple(_before(each.key(tenant), each.previous) for each in changes)


def _before(key: RouteKey, previous: RouteValue | None) -> WantedRoute:
    return WantedRoute(key, is_active=False) if previous is None else WantedRoute.with_value(key, previous)
