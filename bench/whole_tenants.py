"""Everything that reads a whole tenant of 100,000 routes from PostgreSQL, by name."""

import asyncio
import sys
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager

import asyncpg

from bench import seeded
from control_plane.adapters.postgres.change_sets import PostgresChangeSets
from control_plane.adapters.postgres.history import PostgresHistory
from control_plane.adapters.postgres.primary import UNAVAILABLE, Primary
from control_plane.adapters.postgres.routes import PostgresRoutes
from control_plane.domain.changes import Attribution, WantedRoute
from control_plane.domain.intents import DesiredSet, Intent, RevertTo
from control_plane.domain.requests import ChangeRequest
from control_plane.domain.routes import RouteFilter
from control_plane.errors import TooManyChanges
from control_plane.service.change_sets import ChangeSetService
from data_plane.adapters.postgres.route_source import POSTGRES_FAILURES
from data_plane.adapters.postgres.tenant_source import TENANT_CONNECTIONS, TENANT_SECONDS, PostgresTenantSource
from data_plane.http.sse.framing import snapshot_event
from data_plane.service.watch.encoded_snapshots import EncodedSnapshots
from shared.runtime.clock import SystemClock
from shared.runtime.health import DependencyHealth
from shared.runtime.metrics import Metrics
from shared.runtime.resilience import DependencyUnavailable, Guard
from shared.runtime.service import Service

ROUTES = 100_000
_DEADLINE_SECONDS = 30
_PAGE = 1000
_BY = Attribution("bench", None, "bench-1")
_CLEAR = "DELETE FROM {} WHERE tenant_id = (SELECT id FROM tenants WHERE name = $1)"
_HISTORY = """
WITH tenant AS (UPDATE tenants SET revision = 2, routes = $2 WHERE name = $1 RETURNING id),
change_set AS (
    INSERT INTO change_sets (tenant_id, revision, changed_by, correlation_id, committed_at, size)
    SELECT id, number, 'bench', 'bench-1', now(), 50000 FROM tenant, generate_series(1, 2) AS number
)
INSERT INTO changes (tenant_id, revision, position, service, env, version, action, url, is_active)
SELECT tenant.id, 2, row_number() OVER (), services.name, 'prod', 'v1', 'created', 'http://' || services.name, true
FROM tenant JOIN services ON services.tenant_id = tenant.id
"""

Case = Callable[[], Awaitable[object]]


@asynccontextmanager
async def whole_tenant_cases(url: str) -> AsyncIterator[Mapping[str, Case]]:
    """The cases on a tenant that this creates, on the PostgreSQL at this URL, and removes afterwards."""
    await _remove(url)
    await seeded.seed(url, ROUTES)
    connection = await asyncpg.connect(url)
    await connection.execute(_HISTORY, seeded.TENANT, ROUTES)
    await connection.execute("ANALYZE")
    await connection.close()
    metrics = Metrics(Service.CONTROL_PLANE)
    guard = _guard(metrics, _DEADLINE_SECONDS, UNAVAILABLE, 4)
    async with Primary(url, size=4, deadline_seconds=_DEADLINE_SECONDS, guard=guard) as primary, _source(url) as source:
        yield {**_control_plane(primary, metrics), "a new watch: read and encode a tenant": lambda: _encode(source)}
    await _remove(url)


def _control_plane(primary: Primary, metrics: Metrics) -> Mapping[str, Case]:
    service = ChangeSetService(
        PostgresChangeSets(primary, metrics),
        route_quota=sys.maxsize,
        on_commit=lambda: None,
        deadline_seconds=_DEADLINE_SECONDS,
        metrics=metrics,
    )
    routes, history, everything = PostgresRoutes(primary), PostgresHistory(primary), RouteFilter()

    async def plan(intent: Intent) -> None:
        try:
            await service.carry_out(ChangeRequest(intent, _BY, dry_run=True))
        except (TooManyChanges, TimeoutError, DependencyUnavailable):
            return

    one = (WantedRoute(seeded.key(0), is_active=True, url="http://one"),)
    return {
        "plan of a desired set of 1 route": lambda: plan(DesiredSet(seeded.TENANT, one, allow_mass_deactivation=True)),
        "plan of a revert to before 100,000 changes": lambda: plan(RevertTo(seeded.TENANT, 1, True)),
        "page of routes": lambda: routes.page(seeded.TENANT, everything, None, _PAGE),
        "page of past routes": lambda: history.routes_at(seeded.TENANT, 1, everything, None, _PAGE),
        "page of a diff": lambda: history.diff(seeded.TENANT, 1, 2, None, _PAGE),
    }


@asynccontextmanager
async def _source(url: str) -> AsyncIterator[PostgresTenantSource]:
    metrics, health = Metrics(Service.DATA_PLANE), DependencyHealth(required=False)
    guard = _guard(metrics, TENANT_SECONDS, POSTGRES_FAILURES, TENANT_CONNECTIONS)
    source = PostgresTenantSource("watch-postgres", url, guard=guard, health=health, clock=SystemClock())
    keeping = asyncio.create_task(source.keep_open())
    try:
        yield source
    finally:
        keeping.cancel()
        await asyncio.wait({keeping})


async def _encode(source: PostgresTenantSource) -> None:
    snapshots = EncodedSnapshots(snapshot_event, sys.maxsize, Metrics(Service.DATA_PLANE))
    async with source.open_tenant(seeded.TENANT) as reading:
        if reading is not None:
            await snapshots.encode(reading)


def _guard(metrics: Metrics, seconds: float, failures: tuple[type[Exception], ...], at_once: int) -> Guard:
    health = DependencyHealth(required=False)
    return Guard(
        "postgres",
        timeout=seconds,
        failures=failures,
        clock=SystemClock(),
        health=health,
        metrics=metrics,
        at_once=at_once,
    )


async def _remove(url: str) -> None:
    connection = await asyncpg.connect(url)
    for table in ("changes", "change_sets", "endpoints", "environments", "services"):
        await connection.execute(_CLEAR.format(table), seeded.TENANT)
    await connection.execute("DELETE FROM tenants WHERE name = $1", seeded.TENANT)
    await connection.close()
