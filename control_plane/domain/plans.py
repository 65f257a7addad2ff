"""What a change set would do, or did, and what may forbid it."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from control_plane.domain.changes import Outcome, WantedChangeSet, WantedRoute, decide
from control_plane.domain.intents import DesiredSet, Intent, Revert, RevertTo, undoing
from control_plane.domain.routes import Route
from control_plane.errors import (
    MassDeactivation,
    PreconditionFailed,
    RevertConflict,
    RevisionMismatch,
    TooManyChanges,
)
from shared.schemas.events import MAX_CHANGES, Action, RouteChange
from shared.schemas.identity import RouteKey

MASS_PERCENT = 20
"""Share of a tenant's active routes beyond which they are deactivated only by who says that this is meant."""


@dataclass(frozen=True, slots=True)
class Plan:
    """What becomes of each wanted route. `unlisted` counts routes of a desired set that are as they should be.

    `base_revision` is the tenant's that it was computed against; a committed plan took the next one.
    """

    tenant: str
    base_revision: int
    outcomes: tuple[Outcome, ...]
    unlisted: int = 0
    committed: bool = False

    @property
    def changes(self) -> tuple[RouteChange, ...]:
        return tuple(each.change for each in self.outcomes if each.change is not None)

    @property
    def revision(self) -> int:
        """The tenant's revision that shows what is told here."""
        return self.base_revision + 1 if self.committed else self.base_revision

    @property
    def created(self) -> int:
        """How many routes it adds; routes are never removed."""
        return self.counts()[Action.CREATED]

    def counts(self) -> Mapping[str, int]:
        """How many routes by what becomes of them; `unchanged` without an action."""
        found: Counter[str] = Counter({action.value: 0 for action in Action})
        found["unchanged"] = self.unlisted
        found.update(each.change.action.value if each.change else "unchanged" for each in self.outcomes)
        return found

    def as_committed(self) -> "Plan":
        """This plan once its transaction is through; itself when it changes nothing, which takes no revision."""
        return replace(self, committed=True) if self.changes else self


@dataclass(frozen=True, slots=True)
class TenantState:
    """What the source of truth says at one moment, as far as an intent is concerned.

    `routes`: as they stand. `active`: how many of the tenant's routes are active. `undone`: the changes to take back.
    """

    revision: int
    now: datetime
    routes: Mapping[RouteKey, Route]
    active: int = 0
    undone: Sequence[RouteChange] = ()


@dataclass(frozen=True, slots=True)
class Terms:
    """What must hold for a change to be made. None and False demand nothing.

    `expected_revision` is the tenant's. `route_revisions`: the one wanted route must stand at one of these, or, when
    there are none, at any. `must_be_new`: it must never have been created.
    """

    expected_revision: int | None = None
    route_revisions: frozenset[int] | None = None
    must_be_new: bool = False
    dry_run: bool = False


NO_TERMS = Terms()


def make_plan(intent: Intent, terms: Terms, standing: TenantState) -> Plan:
    """What the intent comes to. Raises what forbids it:

    NoSuchRoutes, PreconditionFailed, RevisionMismatch, RevertConflict, MassDeactivation, TooManyChanges.
    """
    wanted = wanted_by(intent, standing)
    _check_route(terms, wanted, standing.routes)
    current = [standing.routes.get(each.key) for each in wanted]
    outcomes = decide(wanted, current, standing.revision + 1, standing.now)
    plan = Plan(intent.tenant, standing.revision, outcomes)
    if isinstance(intent, DesiredSet):
        changed = tuple(each for each in outcomes if each.change)
        plan = replace(plan, outcomes=changed, unlisted=len(outcomes) - len(changed))
    if terms.expected_revision not in (None, standing.revision):
        raise RevisionMismatch(intent.tenant, terms.expected_revision, standing.revision, plan)
    _check_intent(intent, plan, standing)
    if len(plan.changes) > MAX_CHANGES:
        raise TooManyChanges(len(plan.changes), MAX_CHANGES)
    return plan


def wanted_by(intent: Intent, standing: TenantState) -> tuple[WantedRoute, ...]:
    """The routes an intent speaks of, as it wants them."""
    if isinstance(intent, WantedChangeSet):
        return intent.routes
    if isinstance(intent, DesiredSet):
        return intent.wanted(standing.routes)
    return undoing(intent.tenant, standing.undone)


def _check_route(terms: Terms, wanted: Sequence[WantedRoute], routes: Mapping[RouteKey, Route]) -> None:
    if terms.route_revisions is None and not terms.must_be_new:
        return
    for each in wanted:
        route = routes.get(each.key)
        if terms.must_be_new:
            if route is not None:
                raise PreconditionFailed(each.key, route.revision)
        elif route is None or (terms.route_revisions and route.revision not in terms.route_revisions):
            raise PreconditionFailed(each.key, route.revision if route else None)


def _check_intent(intent: Intent, plan: Plan, standing: TenantState) -> None:
    if isinstance(intent, DesiredSet | RevertTo) and not intent.allow_mass_deactivation:
        gone = plan.counts()[Action.DEACTIVATED]
        if gone * 100 > standing.active * MASS_PERCENT:
            raise MassDeactivation(intent.tenant, gone, standing.active, MASS_PERCENT, plan)
    if isinstance(intent, Revert) and not intent.force:
        conflicts = tuple(_changed_since(intent.revision, plan.outcomes, standing.routes))
        if conflicts:
            raise RevertConflict(intent.tenant, intent.revision, conflicts, plan)


def _changed_since(
    revision: int, outcomes: Iterable[Outcome], routes: Mapping[RouteKey, Route]
) -> Iterable[tuple[RouteKey, int]]:
    """Routes that changed after `revision`, with the revision that did; not those that are as they shall be again."""
    for each in outcomes:
        route = routes.get(each.route.key)
        if route is not None and route.revision != revision and each.change is not None:
            yield route.key, route.revision
