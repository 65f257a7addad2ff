"""The resolver's adapters on real servers, each on its own, and entries for them."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Protocol

from data_plane.adapters.postgres.route_source import POSTGRES_FAILURES, PostgresRouteSource
from data_plane.adapters.redis.route_cache import REDIS_FAILURES, RedisRouteCache, connect
from data_plane.adapters.redis.zone_replica import ZoneReplica
from data_plane.domain.entry import Entry, State
from data_plane.domain.remote_clock import UNPROVEN, PrimaryClock, PrimaryTime
from shared.runtime.clock import Clock, LocalTime, SystemClock
from shared.runtime.health import DependencyHealth
from shared.runtime.metrics import Metrics
from shared.runtime.resilience import Guard
from shared.runtime.service import Service
from shared.schemas.events import RouteChanged
from shared.schemas.identity import RouteKey
from tests.fakes.data_plane_database import FakePrimary
from tests.support.active_values import a_value
from tests.support.factories import a_tenant

CLOCK = SystemClock()


def a_key(tenant: str | None = None) -> RouteKey:
    """A key of the tenant, or of a new one."""
    return RouteKey(tenant or a_tenant(), "payments", "prod", "v1")


def an_entry(
    key: RouteKey,
    revision: int,
    state: State = State.ACTIVE,
    *,
    remaining: float = 60,
    age: float = 0,
    proven_at: PrimaryTime = UNPROVEN,
    tenant_revision: int = 0,
) -> Entry:
    """An entry that expires in `remaining` seconds and was right `age` seconds ago."""
    now = CLOCK.monotonic()
    url = f"https://example.com/{revision}" if state is State.ACTIVE else None
    read_at, expires_at = LocalTime(now - age), LocalTime(now + remaining)
    return Entry(key, state, a_value(url), revision, read_at, expires_at, proven_at, max(revision, tenant_revision))


def redis_cache(
    url: str, timeout_seconds: float = 2.0, *, zone_replica: str | None = None, clock: Clock = CLOCK
) -> RedisRouteCache:
    """A new client of the route cache on that server; it reads fresh entries from the replica at the other URL."""
    metrics = Metrics(Service.DATA_PLANE)

    def guard(name: str) -> Guard:
        return Guard(
            name,
            timeout=timeout_seconds,
            failures=REDIS_FAILURES,
            clock=clock,
            health=DependencyHealth(required=False),
            metrics=metrics,
        )

    replica = zone_replica and ZoneReplica(connect(zone_replica, timeout_seconds), guard("redis-replica"))
    return RedisRouteCache(
        connect(url, timeout_seconds),
        guard=guard("redis"),
        clock=clock,
        metrics=metrics,
        keep_seconds=3600,
        zone_replica=replica or None,
    )


class SourceWriter(Protocol):
    """Puts routes into the database behind a source."""

    async def put(self, key: RouteKey, url: str | None) -> RouteChanged:
        """Commit a route; inactive without a URL."""


class FakeWriter:
    """Writes to the fake primary."""

    def __init__(self, primary: FakePrimary) -> None:
        self._primary = primary

    async def put(self, key: RouteKey, url: str | None) -> RouteChanged:
        return self._primary.commit(key, url)


@asynccontextmanager
async def route_source(
    url: str, primary_clock: PrimaryClock | None = None, timeout_seconds: float = 5.0
) -> AsyncIterator[PostgresRouteSource]:
    """A connected route source on that server."""
    metrics, health = Metrics(Service.DATA_PLANE), DependencyHealth(required=False)
    source = PostgresRouteSource(
        "replica-1",
        url,
        connections=1,
        guard=Guard(
            "replica-1",
            timeout=timeout_seconds,
            failures=POSTGRES_FAILURES,
            clock=CLOCK,
            health=health,
            metrics=metrics,
        ),
        health=health,
        primary_clock=primary_clock or PrimaryClock(),
        clock=CLOCK,
        metrics=metrics,
    )
    keeping = asyncio.create_task(source.keep_open())
    assert await source.wait_connected(10)
    yield source
    keeping.cancel()
    await asyncio.wait([keeping])
