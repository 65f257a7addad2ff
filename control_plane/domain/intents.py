"""What a caller can ask to be done with a tenant's routes, beside naming each change."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TypeAlias

from control_plane.domain.changes import WantedChangeSet, WantedRoute, refuse_inconsistent
from control_plane.domain.routes import Route
from shared.schemas.events import RouteChange
from shared.schemas.identity import RouteKey
from shared.schemas.route_value import RouteValue


@dataclass(frozen=True, slots=True)
class Scope:
    """The part of a tenant's routes that a desired set speaks for; None does not restrict."""

    service: str | None = None
    env: str | None = None

    def holds(self, key: RouteKey) -> bool:
        """Whether the key is within."""
        return self.service in (None, key.service) and self.env in (None, key.env)


EVERYTHING = Scope()


@dataclass(frozen=True, slots=True)
class DesiredSet:
    """All routes that are to be active within a scope: what is missing is created, what is not named is deactivated.

    Raises InvalidInput for a route named twice, of another tenant, or out of scope.
    """

    tenant: str
    routes: tuple[WantedRoute, ...]
    scope: Scope = EVERYTHING
    allow_mass_deactivation: bool = False

    def __post_init__(self) -> None:
        refuse_inconsistent("/routes", self.tenant, self.routes, self.scope.holds)

    def wanted(self, standing: Mapping[RouteKey, Route]) -> tuple[WantedRoute, ...]:
        """The named routes, then those within the scope that must go, given all that stand within it."""
        named = {each.key for each in self.routes}
        gone = sorted(key for key, route in standing.items() if route.value.is_active and key not in named)
        return (*self.routes, *(WantedRoute(key, is_active=False) for key in gone))


@dataclass(frozen=True, slots=True)
class Revert:
    """Undo one change set. Routes that others changed since are refused, unless `force`."""

    tenant: str
    revision: int
    force: bool = False


@dataclass(frozen=True, slots=True)
class RevertTo:
    """Make every route what it was at a revision; those created since are deactivated."""

    tenant: str
    revision: int
    allow_mass_deactivation: bool = False


Intent: TypeAlias = WantedChangeSet | DesiredSet | Revert | RevertTo


def undoing(tenant: str, changes: Sequence[RouteChange]) -> tuple[WantedRoute, ...]:
    """The routes as they were before these changes. Rows are never deleted: a created route becomes inactive."""
    return tuple(_before(each.key(tenant), each.previous) for each in changes)


def _before(key: RouteKey, previous: RouteValue | None) -> WantedRoute:
    return WantedRoute(key, is_active=False) if previous is None else WantedRoute.with_value(key, previous)
