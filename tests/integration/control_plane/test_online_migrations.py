"""Migrations of a database in use: a long reader holds locks, and a writer must not wait for the migration."""

import asyncio
import secrets
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any
from urllib.parse import urlsplit

import asyncpg
import pytest

from control_plane.adapters.postgres.migrator import migrate
from control_plane.adapters.postgres.schema_revision import REQUIRED_REVISION
from control_plane.errors import MigrationFailed
from tests.support.catalogue import catalogue
from tests.support.postgres import Database
from tests.support.waiting import eventually

FIRST = "0001"
REQUEST_DEADLINE_SECONDS = 2.0
PAUSE_SECONDS = 0.01  # 100 writes per second
TENANTS, ENDPOINTS = 20, 4_000
_READ = "SELECT FROM {} LIMIT 1"
"""Leaves a lock of the table, and no snapshot."""

# One service and one environment per tenant; each tenant has 200 routes, and one change set with its event.
_ROWS = f"""
INSERT INTO tenants (name, revision) SELECT 'team-' || n, 1 FROM generate_series(1, {TENANTS}) AS n;
INSERT INTO services (tenant_id, name) SELECT id, 'payments' FROM tenants;
INSERT INTO environments (service_id, name) SELECT id, 'prod' FROM services;
INSERT INTO endpoints (environment_id, version, url, is_active, revision, created_at, updated_at)
    SELECT 1 + n % {TENANTS}, 'v' || n, 'http://a', true, 1, now(), now() FROM generate_series(1, {ENDPOINTS}) AS n;
INSERT INTO change_sets SELECT id, 1, 'ada', NULL, 'req', now() - id * interval '1 s' FROM tenants;
INSERT INTO outbox (topic, key, headers, payload, created_at)
    SELECT 'route-events', name, '{{}}', 'x', now() - id * interval '1 s' FROM tenants ORDER BY id;
"""  # noqa: S608 - constants only
# What a write does, in columns that every revision of the schema has.
_WRITE = """
WITH revised AS (UPDATE tenants SET revision = revision + 1 WHERE id = $1 RETURNING id, name, revision),
written AS (UPDATE endpoints SET url = 'http://b', revision = revised.revision FROM revised WHERE endpoints.id = $1),
logged AS (
    INSERT INTO change_sets (tenant_id, revision, changed_by, correlation_id, committed_at)
    SELECT id, revision, 'ada', 'req', clock_timestamp() FROM revised
)
INSERT INTO outbox (topic, key, headers, payload, created_at)
SELECT 'route-events', name, '{}', 'x', clock_timestamp() FROM revised
"""


@asynccontextmanager
async def connected(database: Database) -> AsyncIterator["asyncpg.Connection[Any]"]:
    connection: asyncpg.Connection[Any] = await asyncpg.connect(database.url, timeout=5)
    try:
        yield connection
    finally:
        connection.terminate()


@pytest.fixture
async def used_database(empty_database: Database) -> Database:
    """A database at the first revision, with rows."""
    await migrate(empty_database.url, target=FIRST)
    async with connected(empty_database) as connection:
        await connection.execute(_ROWS)
    return empty_database


class Writer:
    """Writes a hundred times per second. A write that fails or exceeds the deadline of a request ends it."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self.written = 0
        self.is_needed = True

    async def run(self) -> None:
        async with connected(self._database) as connection:
            while self.is_needed:
                await connection.execute(_WRITE, 1 + self.written % TENANTS, timeout=REQUEST_DEADLINE_SECONDS)
                self.written += 1
                await asyncio.sleep(PAUSE_SECONDS)


@pytest.mark.parametrize("table", ["tenants", "endpoints", "outbox"])
async def test_no_write_fails_while_a_long_reader_delays_the_migrations(used_database: Database, table: str) -> None:
    writer, waits = Writer(used_database), asyncio.Queue[str]()
    async with asyncio.timeout(120), asyncio.TaskGroup() as tasks, connected(used_database) as reader:
        tasks.create_task(writer.run())
        await eventually(lambda: _has_written(writer, 20))
        reading = reader.transaction()
        await reading.start()
        await reader.execute(_READ.format(table))
        migrating = tasks.create_task(migrate(used_database.url, report=waits.put_nowait))
        for _ in range(2):
            while "will try again" not in await waits.get():
                pass
        before = writer.written
        await eventually(lambda: _has_written(writer, before + 20))
        assert not migrating.done()
        await reading.rollback()
        await migrating
        writer.is_needed = False
    async with connected(used_database) as connection:
        assert await connection.fetchval("SELECT version_num FROM alembic_version") == REQUIRED_REVISION


async def _has_written(writer: Writer, times: int) -> bool:
    return writer.written >= times


async def test_rows_of_the_first_revision_are_brought_up_to_date(used_database: Database, database: Database) -> None:
    await migrate(used_database.url)
    async with connected(used_database) as connection:
        assert {row[0] for row in await connection.fetch("SELECT routes FROM tenants")} == {ENDPOINTS // TENANTS}
        wrong = (
            "SELECT count(*) FROM endpoints JOIN environments ON environments.id = environment_id"
            " JOIN services ON services.id = service_id"
            " WHERE (endpoints.tenant_id, environments.tenant_id) IS DISTINCT FROM (services.tenant_id, services.tenant_id)"
        )
        assert await connection.fetchval(wrong) == 0
        links = await connection.fetch("SELECT tenant_id, outbox_id FROM change_sets ORDER BY tenant_id")
        assert [row["outbox_id"] for row in links] == [row["tenant_id"] for row in links]
    assert await catalogue(used_database.url) == await catalogue(database.url)


@pytest.mark.parametrize("table", ["environments", "change_sets"])
async def test_migration_that_gave_up_names_the_holder_of_the_lock_and_can_be_repeated(
    used_database: Database, database: Database, table: str
) -> None:
    async with connected(used_database) as reader:
        reading = reader.transaction()
        await reading.start()
        await reader.execute(_READ.format(table))
        with pytest.raises(MigrationFailed, match=str(reader.get_server_pid())):
            await migrate(used_database.url, patience_seconds=0.1)
        await reading.rollback()
    await migrate(used_database.url)
    assert await catalogue(used_database.url) == await catalogue(database.url)


async def test_interrupted_index_is_built_again(used_database: Database, database: Database) -> None:
    async with connected(used_database) as reader, connected(used_database) as observer:
        reading = reader.transaction(isolation="repeatable_read")
        await reading.start()
        await reader.execute(_READ.format("tenants"))
        # The build waits for the reader's snapshot and is cancelled.
        with pytest.raises(MigrationFailed, match="before revision 0002"):
            await migrate(used_database.url, patience_seconds=0.3)
        assert await observer.fetchval("SELECT count(*) FROM pg_index WHERE NOT indisvalid") == 1
        await reading.rollback()
    await migrate(used_database.url)
    assert await catalogue(used_database.url) == await catalogue(database.url)


async def test_no_write_fails_while_a_snapshot_delays_an_index(used_database: Database) -> None:
    writer, waits = Writer(used_database), asyncio.Queue[str]()
    async with asyncio.timeout(120), asyncio.TaskGroup() as tasks, connected(used_database) as reader:
        reading = reader.transaction(isolation="repeatable_read")
        await reading.start()
        await reader.execute(_READ.format("tenants"))
        tasks.create_task(writer.run())
        migrating = tasks.create_task(migrate(used_database.url, report=waits.put_nowait))
        assert "change_sets_by_time" in await waits.get()
        before = writer.written
        await eventually(lambda: _has_written(writer, before + 50))
        assert not migrating.done()
        await reading.rollback()
        await migrating
        writer.is_needed = False


async def test_owner_that_is_no_superuser_migrates_rows_under_row_level_security(
    empty_database: Database,
) -> None:
    owner, password = f"tm_owner_{secrets.token_hex(4)}", secrets.token_hex(8)
    url = urlsplit(empty_database.url)
    own = Database(url._replace(netloc=f"{owner}:{password}@{url.hostname}:{url.port}").geturl(), "")
    async with connected(empty_database) as superuser:
        name = url.path.removeprefix("/")
        await superuser.execute(f"CREATE ROLE {owner} LOGIN CREATEROLE PASSWORD '{password}'")
        try:
            roles = ", ".join(("tm_control", "tm_platform", "tm_relay", "tm_reader"))
            await superuser.execute(f"GRANT {roles} TO {owner} WITH ADMIN TRUE")
            await superuser.execute(f"ALTER DATABASE {name} OWNER TO {owner}")
            await migrate(own.url, target=FIRST)
            async with connected(own) as connection:
                await connection.execute(_ROWS)
            await migrate(own.url)
            linked = await superuser.fetchval("SELECT count(*) FROM change_sets WHERE outbox_id = tenant_id")
            assert linked == TENANTS
            assert await superuser.fetchval("SELECT count(*) FROM pg_policies WHERE policyname = 'migrating'") == 0
        finally:
            await superuser.execute(f"ALTER DATABASE {name} OWNER TO CURRENT_USER")
            await superuser.execute(
                f"REASSIGN OWNED BY {owner} TO CURRENT_USER; DROP OWNED BY {owner}; DROP ROLE {owner}"
            )
