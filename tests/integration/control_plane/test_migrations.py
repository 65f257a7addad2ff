"""Migrations on a real database."""

import asyncio

import asyncpg
import pytest

from control_plane.adapters.postgres.migrator import migrate
from control_plane.errors import MigrationFailed
from tests.postgres import Database

TABLES = {
    "tenants",
    "services",
    "environments",
    "endpoints",
    "change_sets",
    "changes",
    "idempotency_keys",
    "access_keys",
    "outbox",
    "relay_heartbeat",
    "alembic_version",
}


async def _tables(database: Database) -> set[str]:
    connection = await asyncpg.connect(database.url)
    try:
        return {row[0] for row in await connection.fetch("SELECT tablename FROM pg_tables WHERE schemaname = 'public'")}
    finally:
        await connection.close()


async def test_an_empty_database_is_brought_to_the_newest_schema_once(empty_database: Database) -> None:
    await migrate(empty_database.url)
    await migrate(empty_database.url)
    assert await _tables(empty_database) == TABLES


async def test_several_at_once_take_turns(empty_database: Database) -> None:
    async with asyncio.TaskGroup() as tasks:
        for _ in range(4):
            tasks.create_task(migrate(empty_database.url))
    assert await _tables(empty_database) == TABLES


async def test_an_unreachable_database_is_named_as_the_reason() -> None:
    with pytest.raises(MigrationFailed, match="Connect call failed"):
        await migrate("postgresql://nobody:nothing@127.0.0.1:1/nowhere")


async def test_a_test_database_stands_on_the_replica_too(database: Database) -> None:
    connection = await asyncpg.connect(database.replica_url)
    try:
        assert await connection.fetchval("SELECT count(*) FROM tenants") == 0
    finally:
        await connection.close()
