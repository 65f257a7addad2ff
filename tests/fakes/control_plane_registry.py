"""Tenants and routes in memory, behind the same ports as PostgreSQL."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

from control_plane.domain.changes import Attribution
from control_plane.domain.requests import RecordedResponse
from control_plane.domain.routes import PastRoute, Route, RouteFilter, RoutePosition, Tenant
from control_plane.errors import NoSuchRoute, NoSuchTenant
from shared.schemas.events import RouteChange
from shared.schemas.identity import RouteKey


@dataclass(frozen=True, slots=True)
class CommittedChangeSet:
    """A change set that took a revision."""

    tenant: str
    revision: int
    changes: tuple[RouteChange, ...]
    attribution: Attribution
    headers: Mapping[str, str]
    committed_at: datetime


@dataclass
class FakeRegistry:
    """The state behind the fakes of tenants, routes and change sets. Set `failure` to have every call raise it."""

    tenants: dict[str, Tenant] = field(default_factory=dict)
    routes: dict[RouteKey, Route] = field(default_factory=dict)
    committed: list[CommittedChangeSet] = field(default_factory=list)
    recorded_responses: dict[tuple[str, str], tuple[bytes, RecordedResponse]] = field(default_factory=dict)
    failure: Exception | None = None
    now: datetime = datetime(2026, 1, 1, tzinfo=UTC)

    def begin(self) -> datetime:
        """Begin a call: returns its time, one second after the last. Raises `failure`."""
        if self.failure is not None:
            raise self.failure
        self.now += timedelta(seconds=1)
        return self.now

    def tenant(self, name: str) -> Tenant:
        if name not in self.tenants:
            raise NoSuchTenant(name)
        return self.tenants[name]

    def committed_of(self, tenant: str) -> list[CommittedChangeSet]:
        """The tenant's change sets by revision, from 1."""
        return [each for each in self.committed if each.tenant == tenant]


class FakeTenants:
    """The Tenants port."""

    def __init__(self, registry: FakeRegistry) -> None:
        self._registry = registry

    async def create(self, name: str) -> tuple[Tenant, bool]:
        now = self._registry.begin()
        created = name not in self._registry.tenants
        return self._registry.tenants.setdefault(name, Tenant(name, 0, now)), created

    async def get(self, name: str) -> Tenant:
        self._registry.begin()
        return self._registry.tenant(name)

    async def page(self, after: str | None, limit: int) -> Sequence[Tenant]:
        self._registry.begin()
        names = sorted(name for name in self._registry.tenants if after is None or name > after)
        return [self._registry.tenants[name] for name in names[:limit]]


class FakeRoutes:
    """The Routes port."""

    def __init__(self, registry: FakeRegistry) -> None:
        self._registry = registry

    async def get(self, key: RouteKey) -> Route:
        self._registry.begin()
        self._registry.tenant(key.tenant)
        if key not in self._registry.routes:
            raise NoSuchRoute(key)
        return self._registry.routes[key]

    async def page(
        self, tenant: str, matching: RouteFilter, after: RoutePosition | None, limit: int
    ) -> Sequence[Route]:
        self._registry.begin()
        self._registry.tenant(tenant)
        start = (after.service, after.env, after.version) if after else None
        found = [
            route
            for key, route in sorted(self._registry.routes.items())
            if key.tenant == tenant and matches(route, matching)
            if start is None or (key.service, key.env, key.version) > start
        ]
        return found[:limit]


def matches(route: Route | PastRoute, matching: RouteFilter) -> bool:
    pairs = (
        (matching.service, route.key.service),
        (matching.env, route.key.env),
        (matching.version, route.key.version),
        (matching.is_active, route.value.is_active),
    )
    return all(wanted is None or wanted == value for wanted, value in pairs)
