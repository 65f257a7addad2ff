"""The TenantSource port: the fake and PostgreSQL, primary and standby."""

import asyncio
import math
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

import asyncpg
import pytest

from data_plane.adapters.postgres.route_source import POSTGRES_FAILURES
from data_plane.adapters.postgres.tenant_source import PostgresTenantSource
from data_plane.domain.active_value import ActiveValue
from data_plane.domain.tenant_reading import ActiveRoute
from data_plane.ports import TenantSource
from shared.runtime.clock import LocalTime
from shared.runtime.health import DependencyHealth
from shared.runtime.metrics import Metrics
from shared.runtime.resilience import DependencyUnavailable, Guard
from shared.runtime.service import Service
from shared.schemas.identity import RouteKey
from tests.fakes.data_plane_database import FakePrimary
from tests.fakes.data_plane_tenants import FakeTenantSource
from tests.support.active_values import url_of
from tests.support.factories import a_tenant
from tests.support.postgres import Database
from tests.support.resolver_adapters import CLOCK, FakeWriter, SourceWriter
from tests.support.route_writer import RouteWriter
from tests.support.waiting import eventually

SLICE_ROUTES = 50


@asynccontextmanager
async def tenant_source(url: str, health: DependencyHealth | None = None) -> AsyncIterator[PostgresTenantSource]:
    """A source that connects."""
    metrics, health = Metrics(Service.DATA_PLANE), health or DependencyHealth(required=False)
    guard = Guard("tenants", timeout=5.0, failures=POSTGRES_FAILURES, clock=CLOCK, health=health, metrics=metrics)
    source = PostgresTenantSource("tenants", url, guard=guard, health=health, clock=CLOCK, slice_routes=SLICE_ROUTES)
    keeping = asyncio.create_task(source.keep_open())
    try:
        yield source
    finally:
        keeping.cancel()
        await asyncio.wait([keeping])


@pytest.fixture(params=["fake replica", "fake primary", "standby", "primary"])
async def pair(request: pytest.FixtureRequest, database: Database) -> AsyncIterator[tuple[SourceWriter, TenantSource]]:
    """Each kind of source, and a writer to its database."""
    kind = str(request.param)
    if kind.startswith("fake"):
        fake = FakePrimary(CLOCK)
        yield FakeWriter(fake), FakeTenantSource(fake, is_primary=kind == "fake primary")
        return
    connection: asyncpg.Connection[Any] = await asyncpg.connect(database.url, timeout=5)
    async with tenant_source(database.url if kind == "primary" else database.replica_url) as source:
        yield RouteWriter(connection), source
    await connection.close()


@dataclass(frozen=True, slots=True)
class WholeReading:
    """A reading with all its routes."""

    tenant: str
    revision: int
    routes: tuple[ActiveRoute, ...]
    newest_at: LocalTime


async def read_tenant(source: TenantSource, tenant: str) -> WholeReading | None:
    async with source.open_tenant(tenant) as reading:
        if reading is None:
            return None
        routes = [route async for each in reading.slices for route in each]
        return WholeReading(reading.tenant, reading.revision, tuple(routes), reading.newest_at)


async def read_at(source: TenantSource, tenant: str, revision: int) -> WholeReading:
    """The reading once the source is connected and has reached this revision."""

    async def reached() -> WholeReading | None:
        try:
            reading = await read_tenant(source, tenant)
        except DependencyUnavailable:
            return None
        return reading if reading is not None and reading.revision >= revision else None

    found = await eventually(reached)
    assert found is not None
    return found


async def test_all_active_routes_are_read_in_order_with_the_tenant_revision(
    pair: tuple[SourceWriter, TenantSource],
) -> None:
    writer, source = pair
    tenant, other = a_tenant(), a_tenant()
    for service in ("b", "a", "gone"):
        await writer.put(RouteKey(tenant, service, "prod", "v1"), f"https://{service}")
    await writer.put(RouteKey(other, "a", "prod", "v1"), "https://other")
    await writer.put(RouteKey(tenant, "gone", "prod", "v1"), None)
    reading = await read_at(source, tenant, 4)
    assert (reading.tenant, reading.revision) == (tenant, 4)
    assert reading.routes == (
        ActiveRoute("a", "prod", "v1", ActiveValue("https://a"), 2),
        ActiveRoute("b", "prod", "v1", ActiveValue("https://b"), 1),
    )


async def test_tenant_without_active_routes_has_none(pair: tuple[SourceWriter, TenantSource]) -> None:
    writer, source = pair
    key = RouteKey(a_tenant(), "a", "prod", "v1")
    await writer.put(key, "https://a")
    await writer.put(key, None)
    assert (await read_at(source, key.tenant, 2)).routes == ()


async def test_unknown_tenant_has_no_reading(pair: tuple[SourceWriter, TenantSource]) -> None:
    writer, source = pair
    known = RouteKey(a_tenant(), "a", "prod", "v1")
    await writer.put(known, "https://a")
    await read_at(source, known.tenant, 1)
    assert await read_tenant(source, a_tenant()) is None


async def test_only_a_primary_proves_that_nothing_newer_exists(
    pair: tuple[SourceWriter, TenantSource], request: pytest.FixtureRequest
) -> None:
    writer, source = pair
    key = RouteKey(a_tenant(), "a", "prod", "v1")
    await writer.put(key, "https://a")
    await read_at(source, key.tenant, 1)
    sent = CLOCK.monotonic()
    reading = await read_at(source, key.tenant, 1)
    is_primary = "primary" in request.node.callspec.params["pair"]
    assert (reading.newest_at >= sent) if is_primary else (reading.newest_at == -math.inf)
    assert reading.newest_at <= CLOCK.monotonic()


async def test_large_tenant_is_read_completely(pair: tuple[SourceWriter, TenantSource]) -> None:
    writer, source = pair
    tenant = a_tenant()
    routes = 2 * SLICE_ROUTES + 1
    for number in range(routes):
        await writer.put(RouteKey(tenant, f"s-{number:03}", "prod", "v1"), f"https://example.com/{number}")
    reading = await read_at(source, tenant, routes)
    assert [url_of(each) for each in reading.routes] == [f"https://example.com/{number}" for number in range(routes)]


async def test_slices_are_of_the_revision_at_which_the_reading_was_opened(
    pair: tuple[SourceWriter, TenantSource],
) -> None:
    writer, source = pair
    key = RouteKey(a_tenant(), "a", "prod", "v1")
    await writer.put(key, "https://before")
    await read_at(source, key.tenant, 1)
    async with source.open_tenant(key.tenant) as reading:
        assert reading is not None
        await writer.put(key, "https://after")
        routes = [route async for each in reading.slices for route in each]
    assert [(url_of(each), each.revision) for each in routes] == [("https://before", 1)]
    assert (await read_at(source, key.tenant, 2)).revision == 2


async def test_unreachable_source_is_unavailable() -> None:
    async with tenant_source("postgresql://127.0.0.1:1/none") as source:
        with pytest.raises(DependencyUnavailable):
            await read_tenant(source, "team-a")


async def test_source_that_is_not_used_is_up_again_once_its_connections_are_back(database: Database) -> None:
    health = DependencyHealth(required=False)
    seen: list[bool | None] = []
    health.mark_down = lambda why: (DependencyHealth.mark_down(health, why), seen.append(health.up))  # type: ignore[method-assign,assignment,func-returns-value]
    connection: asyncpg.Connection[Any] = await asyncpg.connect(database.url, timeout=5)
    async with tenant_source(database.url, health) as source:
        await eventually(lambda: _can_read(source))
        await connection.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
            " WHERE application_name = 'data_plane' AND datname = current_database()"
        )
        await eventually(lambda: _is_up_after(health, seen), within=15)
    await connection.close()


async def _can_read(source: TenantSource) -> bool:
    try:
        await read_tenant(source, a_tenant())
    except DependencyUnavailable:
        return False
    return True


async def _is_up_after(health: DependencyHealth, seen: list[bool | None]) -> bool:
    return seen != [] and health.up is True
