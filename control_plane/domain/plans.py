"""The plan of a change set: its effect on every route, and the rules that forbid it."""

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
    RouteQuotaReached,
    TooManyChanges,
)
from shared.schemas.events import MAX_CHANGES, Action, RouteChange
from shared.schemas.identity import RouteKey

MASS_PERCENT = 20
"""Share of a tenant's active routes that one change set may deactivate without `allow_mass_deactivation`."""


@dataclass(frozen=True, slots=True)
class Plan:
    """The outcome for each wanted route. `unlisted` counts routes of a desired set that already are as wanted.

    `base_revision` is the tenant's revision that the plan was computed against; a committed plan took the next one.
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
        """The tenant's revision at which the outcomes hold."""
        return self.base_revision + 1 if self.committed else self.base_revision

    @property
    def created(self) -> int:
        """How many routes the plan creates; routes are never removed."""
        return self.counts()[Action.CREATED]

    def counts(self) -> Mapping[str, int]:
        """How many routes by action; `unchanged` counts those without one."""
        found: Counter[str] = Counter({action.value: 0 for action in Action})
        found["unchanged"] = self.unlisted
        found.update(each.change.action.value if each.change else "unchanged" for each in self.outcomes)
        return found

    def as_committed(self) -> "Plan":
        """This plan once its transaction has committed; the same plan when it changes nothing and takes no revision."""
        return replace(self, committed=True) if self.changes else self


@dataclass(frozen=True, slots=True)
class TenantState:
    """A tenant in one transaction, as far as an intent needs it. `now` is the primary's clock.

    `route_count`: all of the tenant's routes; `active_count`: its active ones. `routes`: those the intent may change.
    `changes_to_undo`: the changes that a revert takes back.
    """

    revision: int
    now: datetime
    route_count: int
    routes: Mapping[RouteKey, Route]
    active_count: int = 0
    changes_to_undo: Sequence[RouteChange] = ()


@dataclass(frozen=True, slots=True)
class Preconditions:
    """Conditions that must hold for a change set to be applied. None and False demand nothing.

    `expected_revision` is the tenant's. `route_revisions`: the revision of the one wanted route must be among these; an
    empty set accepts any, but the route must exist. `must_be_new`: the route must never have been created.
    """

    expected_revision: int | None = None
    route_revisions: frozenset[int] | None = None
    must_be_new: bool = False


NO_PRECONDITIONS = Preconditions()


def make_plan(intent: Intent, preconditions: Preconditions, state: TenantState, route_quota: int) -> Plan:
    """The intent's effect on this state, for a tenant that may have `route_quota` routes. Raises what forbids it:

    NoSuchRoutes, PreconditionFailed, TooManyChanges, RevisionMismatch, RevertConflict, MassDeactivation,
    RouteQuotaReached.
    """
    wanted = wanted_by(intent, state)
    _check_route(preconditions, wanted, state.routes)
    current = [state.routes.get(each.key) for each in wanted]
    outcomes = decide(wanted, current, state.revision + 1, state.now)
    plan = Plan(intent.tenant, state.revision, outcomes)
    if isinstance(intent, DesiredSet):
        changed = tuple(each for each in outcomes if each.change)
        plan = replace(plan, outcomes=changed, unlisted=len(outcomes) - len(changed))
    # First: the errors below carry the plan, and so must not be of any size.
    if len(plan.changes) > MAX_CHANGES:
        raise TooManyChanges(len(plan.changes), MAX_CHANGES)
    if preconditions.expected_revision not in (None, state.revision):
        raise RevisionMismatch(intent.tenant, preconditions.expected_revision, state.revision, plan)
    _check_intent(intent, plan, state)
    _check_quota(plan, state.route_count, route_quota)
    return plan


def wanted_by(intent: Intent, state: TenantState) -> tuple[WantedRoute, ...]:
    """The routes that an intent names or implies, with their wanted values."""
    if isinstance(intent, WantedChangeSet):
        return intent.routes
    if isinstance(intent, DesiredSet):
        return intent.wanted(state.routes)
    return undoing(intent.tenant, state.changes_to_undo)


def _check_route(preconditions: Preconditions, wanted: Sequence[WantedRoute], routes: Mapping[RouteKey, Route]) -> None:
    revisions = preconditions.route_revisions
    if revisions is None and not preconditions.must_be_new:
        return
    for each in wanted:
        route = routes.get(each.key)
        if preconditions.must_be_new:
            if route is not None:
                raise PreconditionFailed(each.key, route.revision)
        elif route is None or (revisions and route.revision not in revisions):
            raise PreconditionFailed(each.key, route.revision if route else None)


def _check_intent(intent: Intent, plan: Plan, state: TenantState) -> None:
    if isinstance(intent, DesiredSet | RevertTo) and not intent.allow_mass_deactivation:
        deactivated = plan.counts()[Action.DEACTIVATED]
        if deactivated * 100 > state.active_count * MASS_PERCENT:
            raise MassDeactivation(intent.tenant, deactivated, state.active_count, MASS_PERCENT, plan)
    if isinstance(intent, Revert) and not intent.force:
        conflicts = tuple(_changed_since(intent.revision, plan.outcomes, state.routes))
        if conflicts:
            raise RevertConflict(intent.tenant, intent.revision, conflicts, plan)


def _changed_since(
    revision: int, outcomes: Iterable[Outcome], routes: Mapping[RouteKey, Route]
) -> Iterable[tuple[RouteKey, int]]:
    """Routes that changed after `revision` and do not already have the wanted value, with their current revision."""
    for each in outcomes:
        route = routes.get(each.route.key)
        if route is not None and route.revision != revision and each.change is not None:
            yield route.key, route.revision


def _check_quota(plan: Plan, route_count: int, route_quota: int) -> None:
    # A plan that creates no route is never refused, even after the quota was lowered below the number of routes.
    if plan.created and route_count + plan.created > route_quota:
        raise RouteQuotaReached(plan.tenant, route_count, plan.created, route_quota, plan)
