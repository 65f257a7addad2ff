"""The effect of a change set on a tenant's routes, computed without I/O."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Self

import msgspec

from control_plane.domain.routes import Route
from control_plane.errors import NoSuchRoutes, TooManyChanges
from shared.schemas.events import MAX_CHANGES, RouteChange
from shared.schemas.identity import RouteKey
from shared.schemas.route_value import RouteValue
from shared.schemas.validation import FieldError, InvalidInput


class WantedRoute(msgspec.Struct, frozen=True, gc=False):
    """The wanted value of a route. Without a `url` the route keeps its URL, and so must exist."""

    key: RouteKey
    is_active: bool
    url: str | None = None

    @classmethod
    def with_value(cls, key: RouteKey, value: RouteValue) -> Self:
        """A wanted route with exactly this value."""
        return cls(key, value.is_active, value.url)

    def applied_to(self, current: RouteValue | None) -> RouteValue | None:
        """The route's value once this is applied; None when the route neither exists nor is given a URL."""
        url = self.url if self.url is not None or current is None else current.url
        return None if url is None else RouteValue(url, self.is_active)


@dataclass(frozen=True, slots=True)
class WantedChangeSet:
    """Routes of a tenant that change together or not at all.

    Raises TooManyChanges beyond 500 routes, and InvalidInput for none, for a route named twice, and for one of another
    tenant.
    """

    tenant: str
    routes: tuple[WantedRoute, ...]

    def __post_init__(self) -> None:
        if len(self.routes) > MAX_CHANGES:
            raise TooManyChanges(len(self.routes), MAX_CHANGES)
        if not self.routes:
            raise InvalidInput((FieldError("/changes", "must name at least one route"),))
        refuse_inconsistent("/changes", self.tenant, self.routes)


def refuse_inconsistent(
    pointer: str, tenant: str, routes: Sequence[WantedRoute], within: Callable[[RouteKey], bool] | None = None
) -> None:
    """Raises InvalidInput with all that `inconsistencies` finds."""
    errors = inconsistencies(pointer, tenant, {index: each.key for index, each in enumerate(routes)}, within)
    if errors:
        raise InvalidInput(tuple(errors))


def inconsistencies(
    pointer: str, tenant: str, keys: Mapping[int, RouteKey], within: Callable[[RouteKey], bool] | None = None
) -> list[FieldError]:
    """An error for each key that repeats another, belongs to another tenant, or is not `within` the scope.

    The mapping's keys are indexes into the list at the JSON pointer. A repeated route is an error because the list would
    not say which of its two values is wanted.
    """
    seen: set[RouteKey] = set()
    errors = []
    for index, key in keys.items():
        if key.tenant != tenant:
            errors.append(FieldError(f"{pointer}/{index}", f"{key} is not of tenant {tenant}"))
        elif key in seen:
            errors.append(FieldError(f"{pointer}/{index}", f"{key} is named twice"))
        elif within is not None and not within(key):
            errors.append(FieldError(f"{pointer}/{index}", f"{key} is not of the service or env that the query names"))
        seen.add(key)
    return errors


@dataclass(frozen=True, slots=True)
class Attribution:
    """The author of a change, the reason given, and the request's correlation id."""

    changed_by: str
    reason: str | None
    correlation_id: str


class Outcome(msgspec.Struct, frozen=True, gc=False):
    """A wanted route after its change set, and the change (None: the route already had the wanted value)."""

    route: Route
    change: RouteChange | None


def decide(
    wanted: Sequence[WantedRoute], current: Sequence[Route | None], revision: int, now: datetime
) -> tuple[Outcome, ...]:
    """The outcome for each wanted route at the tenant's next revision, given its current state (None: never created).

    Raises NoSuchRoutes, naming every route that neither exists nor is given a URL.
    """
    outcomes = []
    missing = {}
    for index, (each, route) in enumerate(zip(wanted, current, strict=True)):
        value = each.applied_to(route.value if route else None)
        if value is None:
            missing[index] = each.key
        else:
            outcomes.append(_outcome(each.key, route, value, revision, now))
    if missing:
        raise NoSuchRoutes(missing)
    return tuple(outcomes)


def _outcome(key: RouteKey, current: Route | None, value: RouteValue, revision: int, now: datetime) -> Outcome:
    if current is None:
        return Outcome(Route(key, value, revision, now, now), RouteChange.between(key, None, value))
    if value == current.value:
        return Outcome(current, None)
    route = Route(key, value, revision, current.created_at, now)
    return Outcome(route, RouteChange.between(key, current.value, value))
