"""Tenants and their routes."""

from dataclasses import dataclass
from datetime import datetime

from shared.schemas.events import RouteState
from shared.schemas.identity import RouteKey


@dataclass(frozen=True, slots=True)
class Tenant:
    """A team. `revision` is that of its last committed change set, 0 before the first."""

    name: str
    revision: int
    created_at: datetime


@dataclass(frozen=True, slots=True)
class Route:
    """A route as it stands; `revision` is the tenant's that last changed it."""

    key: RouteKey
    url: str
    is_active: bool
    revision: int
    created_at: datetime
    updated_at: datetime

    @property
    def state(self) -> RouteState:
        return RouteState.ACTIVE if self.is_active else RouteState.INACTIVE


@dataclass(frozen=True, slots=True)
class RoutePosition:
    """Where a page of a tenant's routes ended: they are listed by service, env and version."""

    service: str
    env: str
    version: str


@dataclass(frozen=True, slots=True)
class RouteFilter:
    """Which of a tenant's routes to list; None does not restrict."""

    service: str | None = None
    env: str | None = None
    version: str | None = None
    is_active: bool | None = None
