"""What the resolver relies on in a database, of the fake and of PostgreSQL, primary and standby."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any, Protocol

import asyncpg
import pytest

from data_plane.adapters.postgres.route_source import POSTGRES_FAILURES, PostgresRouteSource
from data_plane.domain.entry import State
from data_plane.domain.reading import Reading
from data_plane.domain.remote_clock import PrimaryClock
from data_plane.ports import RouteSource
from deploy.local.stack import Stack
from shared.runtime.clock import SystemClock
from shared.runtime.health import DependencyHealth
from shared.runtime.metric_catalogue import Service
from shared.runtime.metrics import Metrics
from shared.runtime.resilience import DependencyUnavailable, Guard
from shared.schemas.events import RouteChanged
from shared.schemas.identity import RouteKey
from tests.fakes.data_plane_database import FakePrimary, FakeRouteSource
from tests.support.factories import a_tenant
from tests.support.postgres import Database
from tests.support.route_writer import RouteWriter
from tests.support.waiting import eventually

CLOCK = SystemClock()


class Writer(Protocol):
    """What puts routes into the database behind a source."""

    async def put(self, key: RouteKey, url: str | None) -> RouteChanged:
        """Commit a route; inactive without a URL."""


class FakeWriter:
    """Writes to the fake primary."""

    def __init__(self, primary: FakePrimary) -> None:
        self._primary = primary

    async def put(self, key: RouteKey, url: str | None) -> RouteChanged:
        return self._primary.commit(key, url)


@asynccontextmanager
async def postgres(
    url: str, primary_clock: PrimaryClock | None = None, seconds: float = 5.0
) -> AsyncIterator[PostgresRouteSource]:
    """A connected source."""
    metrics, health = Metrics(Service.DATA_PLANE), DependencyHealth(required=False)
    source = PostgresRouteSource(
        "replica-1",
        url,
        connections=1,
        guard=Guard(
            "replica-1", timeout=seconds, failures=POSTGRES_FAILURES, clock=CLOCK, health=health, metrics=metrics
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
    with pytest.raises(asyncio.CancelledError):
        await keeping


@pytest.fixture(params=["fake", "primary", "standby"])
async def pair(request: pytest.FixtureRequest, database: Database) -> AsyncIterator[tuple[Writer, RouteSource]]:
    """Each kind of source in turn, with what writes to its database."""
    if request.param == "fake":
        primary = FakePrimary(CLOCK)
        yield FakeWriter(primary), FakeRouteSource(primary)
        return
    connection: asyncpg.Connection[Any] = await asyncpg.connect(database.url, timeout=5)
    async with postgres(database.url if request.param == "primary" else database.replica_url) as source:
        yield RouteWriter(connection), source
    await connection.close()


def a_key(tenant: str | None = None) -> RouteKey:
    return RouteKey(tenant or a_tenant(), "payments", "prod", "v1")


async def read_at(source: RouteSource, key: RouteKey, tenant_revision: int) -> Reading:
    """The reading once the source has come to this revision of the tenant."""

    async def there() -> Reading | None:
        reading = await source.read(key)
        return reading if reading.tenant_revision >= tenant_revision else None

    found = await eventually(there)
    assert found is not None
    return found


def told(reading: Reading) -> tuple[State, str | None, int, int]:
    return reading.state, reading.url, reading.revision, reading.tenant_revision


async def test_an_unknown_tenant_has_revision_zero(pair: tuple[Writer, RouteSource]) -> None:
    assert told(await pair[1].read(a_key())) == (State.ABSENT, None, 0, 0)


async def test_an_active_route_has_its_url_and_its_own_revision(pair: tuple[Writer, RouteSource]) -> None:
    writer, source = pair
    key = a_key()
    await writer.put(key, "https://v1")
    await writer.put(RouteKey(key.tenant, "other", "prod", "v1"), "https://other")
    assert told(await read_at(source, key, 2)) == (State.ACTIVE, "https://v1", 1, 2)


async def test_an_inactive_route_has_no_url(pair: tuple[Writer, RouteSource]) -> None:
    writer, source = pair
    key = a_key()
    await writer.put(key, "https://v1")
    await writer.put(key, None)
    assert told(await read_at(source, key, 2)) == (State.INACTIVE, None, 2, 2)


@pytest.mark.parametrize("part", ["service", "env", "version"])
async def test_a_route_that_never_was_carries_the_tenants_revision(pair: tuple[Writer, RouteSource], part: str) -> None:
    writer, source = pair
    key = a_key()
    await writer.put(key, "https://v1")
    parts = {"service": key.service, "env": key.env, "version": key.version, part: "other"}
    absent = RouteKey(key.tenant, **parts)
    assert told(await read_at(source, absent, 1)) == (State.ABSENT, None, 1, 1)


async def test_a_reading_tells_when_it_was_right(pair: tuple[Writer, RouteSource]) -> None:
    writer, source = pair
    key = a_key()
    await writer.put(key, "https://v1")
    await read_at(source, key, 1)
    before = CLOCK.monotonic()
    reading = await source.read(key)
    assert before - 10 <= reading.read_at <= CLOCK.monotonic()


async def test_a_paused_standby_shows_its_age_by_the_relays_heartbeat(stack: Stack, database: Database) -> None:
    writer: asyncpg.Connection[Any] = await asyncpg.connect(database.url, timeout=5)
    admin: asyncpg.Connection[Any] = await asyncpg.connect(stack.urls.replicas[0], timeout=5)
    routes, key = RouteWriter(writer), a_key()
    await routes.put(key, "https://v1")
    async with postgres(database.replica_url) as source:
        await read_at(source, key, 1)
        await admin.execute("SELECT pg_wal_replay_pause()")
        try:
            await routes.put(key, "https://v2")
            committed = CLOCK.monotonic()
            readings = [await source.read(key) for _ in range(3)]
            assert {each.url for each in readings} == {"https://v1"}
            assert all(each.read_at < committed for each in readings)
        finally:
            await admin.execute("SELECT pg_wal_replay_resume()")
        assert (await read_at(source, key, 2)).url == "https://v2"
        beat = CLOCK.monotonic()
        await routes.heartbeat()
        await eventually(lambda: _is_right_as_of(source, key, beat))
    await writer.close()
    await admin.close()


async def _is_right_as_of(source: RouteSource, key: RouteKey, moment: float) -> bool:
    return (await source.read(key)).read_at >= moment


async def test_a_server_that_is_down_is_unavailable_at_once_and_used_again_when_it_is_back(
    stack: Stack, database: Database
) -> None:
    key = a_key()
    async with postgres(database.replica_url) as source:
        await stack.replica.stop()
        try:
            await eventually(lambda: _is_unavailable(source, key))
        finally:
            await stack.replica.start()
        await eventually(lambda: _is_available(source, key))


async def test_a_frozen_server_costs_no_more_than_the_timeout(stack: Stack, database: Database) -> None:
    key = a_key()
    async with postgres(database.replica_url, seconds=0.2) as source:
        await source.read(key)
        await stack.replica.freeze()
        try:
            async with asyncio.timeout(5):
                with pytest.raises(DependencyUnavailable):
                    await source.read(key)
        finally:
            await stack.replica.thaw()
        await eventually(lambda: _is_available(source, key))


async def test_a_database_without_tables_cannot_tell(empty_database: Database) -> None:
    metrics, health = Metrics(Service.DATA_PLANE), DependencyHealth(required=False)
    guard = Guard("postgres", timeout=5, failures=POSTGRES_FAILURES, clock=CLOCK, health=health, metrics=metrics)
    source = PostgresRouteSource(
        "postgres",
        empty_database.url,
        connections=1,
        guard=guard,
        health=health,
        primary_clock=PrimaryClock(),
        clock=CLOCK,
        metrics=metrics,
    )
    keeping = asyncio.create_task(source.keep_open())
    await eventually(lambda: _says(health, "relay_heartbeat"))
    with pytest.raises(DependencyUnavailable, match="relay_heartbeat"):
        await source.read(a_key())
    keeping.cancel()


async def _says(health: DependencyHealth, word: str) -> bool:
    return word in health.detail


async def _is_available(source: RouteSource, key: RouteKey) -> bool:
    try:
        await source.read(key)
    except DependencyUnavailable:
        return False
    return True


async def _is_unavailable(source: RouteSource, key: RouteKey) -> bool:
    return not await _is_available(source, key)
