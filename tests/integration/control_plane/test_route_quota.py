"""The stored count of a tenant's routes, which the quota uses."""

import asyncio
import random

import asyncpg

from control_plane.domain.changes import Attribution, WantedChangeSet, WantedRoute
from control_plane.errors import RouteQuotaReached
from control_plane.migrations.versions import v0004_route_counts
from shared.schemas.identity import RouteKey
from tests.support.control_plane import open_registry
from tests.support.postgres import Database

BY = Attribution("ci-bot", None, "req-1")
QUOTA = 10
_COUNTS = """
SELECT tenants.routes, count(endpoints.id) AS counted
FROM tenants
LEFT JOIN services ON services.tenant_id = tenants.id
LEFT JOIN environments ON environments.service_id = services.id
LEFT JOIN endpoints ON endpoints.environment_id = environments.id
GROUP BY tenants.id, tenants.routes
"""


async def _counts(database: Database, *before: str) -> list[tuple[int, int]]:
    connection = await asyncpg.connect(database.url)
    try:
        for statement in before:
            await connection.execute(statement)
        return [(row["routes"], row["counted"]) for row in await connection.fetch(_COUNTS)]
    finally:
        await connection.close()


async def test_concurrent_writers_never_exceed_the_quota(database: Database) -> None:
    async with open_registry(database.url, route_quota=QUOTA) as registry:
        await registry.tenants.create("team-a")
        refused = 0

        async def write(number: int) -> None:
            nonlocal refused
            keys = [RouteKey("team-a", f"s{random.randrange(5)}", "prod", f"v{number + extra}") for extra in range(2)]
            wanted = tuple(WantedRoute(key, is_active=True, url="http://one") for key in keys)
            try:
                await registry.apply(WantedChangeSet("team-a", wanted), BY)
            except RouteQuotaReached:
                refused += 1

        async with asyncio.TaskGroup() as tasks:
            for number in range(30):
                tasks.create_task(write(number % 20))
    ((kept, counted),) = await _counts(database)
    assert kept == counted
    assert QUOTA - 1 <= kept <= QUOTA
    assert refused


_COUNT = v0004_route_counts.COUNT.replace("$1", "0").replace("$2", "100")
"""One batch of the migration."""


async def test_migration_counts_existing_routes(database: Database) -> None:
    async with open_registry(database.url) as registry:
        for tenant, number in (("team-a", 3), ("team-b", 1), ("team-c", 0)):
            await registry.tenants.create(tenant)
            for version in range(number):
                key = RouteKey(tenant, "payments", "prod", f"v{version}")
                await registry.apply(WantedChangeSet(tenant, (WantedRoute(key, True, "http://one"),)), BY)
    counts = await _counts(database, "UPDATE tenants SET routes = 0", _COUNT)
    assert sorted(counts) == [(0, 0), (1, 1), (3, 3)]
