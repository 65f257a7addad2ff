"""Tenants and their routes, current and past."""

from dataclasses import dataclass
from datetime import datetime

import msgspec

from shared.schemas.identity import RouteKey
from shared.schemas.route_value import RouteValue


@dataclass(frozen=True, slots=True)
class Tenant:
    """A tenant. `revision` is that of its last committed change set, 0 before the first."""

    name: str
    revision: int
    created_at: datetime


# Without cyclic garbage collection, here and for other values of which a tenant has many: none can be part of a cycle, and
# a collection that visits those of a large tenant blocks the process.
class Route(msgspec.Struct, frozen=True, gc=False):
    """The current state of a route; `revision` is the tenant revision that last changed it."""

    key: RouteKey
    value: RouteValue
    revision: int
    created_at: datetime
    updated_at: datetime


@dataclass(frozen=True, slots=True)
class PastRoute:
    """A route as it was at an earlier revision of its tenant."""

    key: RouteKey
    value: RouteValue


@dataclass(frozen=True, slots=True)
class RoutePosition:
    """The last route of a page of a tenant's routes, which are listed by service, env and version."""

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
