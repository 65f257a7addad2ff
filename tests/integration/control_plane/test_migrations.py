"""Migrations on a real database."""

import asyncio

import asyncpg
import pytest

from control_plane.adapters.postgres.migrator import migrate
from control_plane.adapters.postgres.schema_revision import REQUIRED_REVISION, wait_for_schema
from control_plane.domain.changes import Attribution, WantedChangeSet, WantedRoute
from control_plane.errors import MigrationFailed
from control_plane.migrations.versions.v0006_position_of_a_change_set import LINK
from shared.schemas.identity import RouteKey
from tests.support.control_plane import open_registry
from tests.support.postgres import Database

TABLES = {
    "tenants",
    "services",
    "environments",
    "endpoints",
    "change_sets",
    "changes",
    "idempotency_keys",
    "recorded_bytes",
    "access_keys",
    "outbox",
    "quarantined_records",
    "access_key_topic",
    "relay_heartbeat",
    "alembic_version",
}


async def _tables(database: Database) -> set[str]:
    connection = await asyncpg.connect(database.url)
    try:
        return {row[0] for row in await connection.fetch("SELECT tablename FROM pg_tables WHERE schemaname = 'public'")}
    finally:
        await connection.close()


async def test_empty_database_is_migrated_to_the_newest_schema_once(empty_database: Database) -> None:
    await migrate(empty_database.url)
    await migrate(empty_database.url)
    assert await _tables(empty_database) == TABLES


async def test_concurrent_migrations_run_one_after_another(empty_database: Database) -> None:
    async with asyncio.TaskGroup() as tasks:
        for _ in range(4):
            tasks.create_task(migrate(empty_database.url))
    assert await _tables(empty_database) == TABLES


async def test_unreachable_database_is_reported_as_the_cause() -> None:
    with pytest.raises(MigrationFailed, match="Connect call failed"):
        await migrate("postgresql://nobody:nothing@127.0.0.1:1/nowhere")


async def test_newer_schema_is_left_as_it_is_and_served_on(empty_database: Database) -> None:
    await migrate(empty_database.url)
    connection = await asyncpg.connect(empty_database.url)
    try:
        await connection.execute("UPDATE alembic_version SET version_num = '9999'")
        await migrate(empty_database.url)
        await wait_for_schema(empty_database.url, pytest.fail)
        assert await connection.fetchval("SELECT version_num FROM alembic_version") == "9999"
    finally:
        await connection.close()


async def test_schema_is_awaited_until_it_is_migrated(empty_database: Database) -> None:
    problems: asyncio.Queue[str] = asyncio.Queue()
    async with asyncio.timeout(30), asyncio.TaskGroup() as tasks:
        waiting = tasks.create_task(wait_for_schema(empty_database.url, problems.put_nowait, retry_seconds=0.01))
        assert "cannot be read: UndefinedTableError" in await problems.get()
        await migrate(empty_database.url)
        await waiting


async def test_older_schema_is_named_with_the_one_needed(empty_database: Database) -> None:
    await migrate(empty_database.url)
    connection = await asyncpg.connect(empty_database.url)
    await connection.execute("UPDATE alembic_version SET version_num = '0001'")
    problems: asyncio.Queue[str] = asyncio.Queue()
    async with asyncio.timeout(30), asyncio.TaskGroup() as tasks:
        waiting = tasks.create_task(wait_for_schema(empty_database.url, problems.put_nowait, retry_seconds=0.01))
        assert f"has revision 0001, and this release needs {REQUIRED_REVISION}" in await problems.get()
        await connection.execute("UPDATE alembic_version SET version_num = $1", REQUIRED_REVISION)
        await waiting
    await connection.close()


async def test_database_of_a_test_is_also_on_the_replica(database: Database) -> None:
    connection = await asyncpg.connect(database.replica_url)
    try:
        assert await connection.fetchval("SELECT count(*) FROM tenants") == 0
    finally:
        await connection.close()


async def test_older_change_sets_are_linked_to_their_remaining_outbox_rows(database: Database) -> None:
    """By the statement of the migration, run on change sets whose links were taken away."""
    connection = await asyncpg.connect(database.url)
    try:
        async with open_registry(database.url) as registry:
            for tenant in ("team-a", "team-b"):
                await registry.tenants.create(tenant)
                for url in ("http://one", "http://two"):
                    route = WantedRoute(RouteKey(tenant, "payments", "prod", "v1"), is_active=True, url=url)
                    await registry.apply(WantedChangeSet(tenant, (route,)), Attribution("ada", None, "req-1"))
        links = "SELECT tenant_id, revision, outbox_id FROM change_sets ORDER BY 1, 2"
        linked = await connection.fetch(links)
        assert [row["outbox_id"] for row in linked] == [1, 2, 3, 4]
        await connection.execute("UPDATE change_sets SET outbox_id = NULL; DELETE FROM outbox WHERE id = 1")
        await connection.execute(LINK, 0, 100)
        assert [row["outbox_id"] for row in await connection.fetch(links)] == [None, 2, 3, 4]
    finally:
        await connection.close()
