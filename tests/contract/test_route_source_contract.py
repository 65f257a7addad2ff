"""The RouteSource port: the fake and PostgreSQL, primary and standby."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import asyncpg
import pytest

from data_plane.adapters.postgres.route_source import POSTGRES_FAILURES, PostgresRouteSource
from data_plane.domain.entry import State
from data_plane.domain.reading import Reading
from data_plane.domain.remote_clock import PrimaryClock
from data_plane.ports import RouteSource
from deploy.local.stack import Stack
from shared.runtime.health import DependencyHealth
from shared.runtime.metrics import Metrics
from shared.runtime.resilience import DependencyUnavailable, Guard
from shared.runtime.service import Service
from shared.schemas.identity import RouteKey
from tests.fakes.data_plane_database import FakePrimary, FakeRouteSource
from tests.support.active_values import url_of
from tests.support.postgres import Database
from tests.support.resolver_adapters import CLOCK, FakeWriter, SourceWriter, a_key, route_source
from tests.support.route_writer import RouteWriter
from tests.support.waiting import eventually


@pytest.fixture(params=["fake", "primary", "standby"])
async def pair(request: pytest.FixtureRequest, database: Database) -> AsyncIterator[tuple[SourceWriter, RouteSource]]:
    """Each kind of source, and a writer to its database."""
    if request.param == "fake":
        primary = FakePrimary(CLOCK)
        yield FakeWriter(primary), FakeRouteSource(primary)
        return
    connection: asyncpg.Connection[Any] = await asyncpg.connect(database.url, timeout=5)
    async with route_source(database.url if request.param == "primary" else database.replica_url) as source:
        yield RouteWriter(connection), source
    await connection.close()


async def read_at(source: RouteSource, key: RouteKey, tenant_revision: int) -> Reading:
    """The reading once the source has reached this revision of the tenant."""

    async def reached() -> Reading | None:
        reading = await source.read(key)
        return reading if reading.tenant_revision >= tenant_revision else None

    found = await eventually(reached)
    assert found is not None
    return found


def values_of(reading: Reading) -> tuple[State, str | None, int, int]:
    return reading.state, url_of(reading), reading.revision, reading.tenant_revision


async def test_unknown_tenant_has_revision_zero(pair: tuple[SourceWriter, RouteSource]) -> None:
    assert values_of(await pair[1].read(a_key())) == (State.ABSENT, None, 0, 0)


async def test_active_route_has_url_and_own_revision(pair: tuple[SourceWriter, RouteSource]) -> None:
    writer, source = pair
    key = a_key()
    await writer.put(key, "https://v1")
    await writer.put(RouteKey(key.tenant, "other", "prod", "v1"), "https://other")
    assert values_of(await read_at(source, key, 2)) == (State.ACTIVE, "https://v1", 1, 2)


async def test_inactive_route_has_no_url(pair: tuple[SourceWriter, RouteSource]) -> None:
    writer, source = pair
    key = a_key()
    await writer.put(key, "https://v1")
    await writer.put(key, None)
    assert values_of(await read_at(source, key, 2)) == (State.INACTIVE, None, 2, 2)


@pytest.mark.parametrize("part", ["service", "env", "version"])
async def test_never_created_route_has_the_tenant_revision(pair: tuple[SourceWriter, RouteSource], part: str) -> None:
    writer, source = pair
    key = a_key()
    await writer.put(key, "https://v1")
    parts = {"service": key.service, "env": key.env, "version": key.version, part: "other"}
    absent = RouteKey(key.tenant, **parts)
    assert values_of(await read_at(source, absent, 1)) == (State.ABSENT, None, 1, 1)


async def test_reading_has_the_time_it_was_right(pair: tuple[SourceWriter, RouteSource]) -> None:
    writer, source = pair
    key = a_key()
    await writer.put(key, "https://v1")
    await read_at(source, key, 1)
    before = CLOCK.monotonic()
    reading = await source.read(key)
    assert before - 10 <= reading.read_at <= CLOCK.monotonic()


async def test_paused_standby_is_dated_by_the_relay_heartbeat(stack: Stack, database: Database) -> None:
    writer: asyncpg.Connection[Any] = await asyncpg.connect(database.url, timeout=5)
    admin: asyncpg.Connection[Any] = await asyncpg.connect(stack.urls.replicas[0], timeout=5)
    routes, key = RouteWriter(writer), a_key()
    await routes.put(key, "https://v1")
    async with route_source(database.replica_url) as source:
        await read_at(source, key, 1)
        await admin.execute("SELECT pg_wal_replay_pause()")
        try:
            await routes.put(key, "https://v2")
            committed = CLOCK.monotonic()
            readings = [await source.read(key) for _ in range(3)]
            assert {url_of(each) for each in readings} == {"https://v1"}
            assert all(each.read_at < committed for each in readings)
        finally:
            await admin.execute("SELECT pg_wal_replay_resume()")
        assert url_of(await read_at(source, key, 2)) == "https://v2"
        beat = CLOCK.monotonic()
        await routes.heartbeat()
        await eventually(lambda: _is_read_after(source, key, beat))
    await writer.close()
    await admin.close()


async def _is_read_after(source: RouteSource, key: RouteKey, moment: float) -> bool:
    return (await source.read(key)).read_at >= moment


async def test_stopped_server_is_unavailable_and_read_again_after_restart(stack: Stack, database: Database) -> None:
    key = a_key()
    async with route_source(database.replica_url) as source:
        await stack.replica.stop()
        try:
            await eventually(lambda: _is_unavailable(source, key))
        finally:
            await stack.replica.start()
        await eventually(lambda: _is_available(source, key))


async def test_frozen_server_fails_within_the_timeout(stack: Stack, database: Database) -> None:
    key = a_key()
    async with route_source(database.replica_url, timeout_seconds=0.2) as source:
        await source.read(key)
        await stack.replica.freeze()
        try:
            async with asyncio.timeout(5):
                with pytest.raises(DependencyUnavailable):
                    await source.read(key)
        finally:
            await stack.replica.thaw()
        await eventually(lambda: _is_available(source, key))


async def test_database_without_tables_is_unavailable(empty_database: Database) -> None:
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
    await eventually(lambda: _detail_has(health, "relay_heartbeat"))
    with pytest.raises(DependencyUnavailable, match="relay_heartbeat"):
        await source.read(a_key())
    keeping.cancel()


async def _detail_has(health: DependencyHealth, word: str) -> bool:
    return word in health.reason


async def _is_available(source: RouteSource, key: RouteKey) -> bool:
    try:
        await source.read(key)
    except DependencyUnavailable:
        return False
    return True


async def _is_unavailable(source: RouteSource, key: RouteKey) -> bool:
    return not await _is_available(source, key)
