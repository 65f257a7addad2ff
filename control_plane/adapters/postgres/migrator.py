"""Migrates a database's schema to this release, while services use it. Forward only."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path
from typing import Any, TypeAlias

import asyncpg
from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import Script, ScriptDirectory
from sqlalchemy import Connection, text
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine
from sqlalchemy.pool import NullPool

from control_plane import migrations
from control_plane.adapters.postgres.migration_steps import LOCK_MILLISECONDS, LockNotFree, Report, UntilFree, prepare
from control_plane.errors import MigrationFailed

PATIENCE_SECONDS = 600.0
"""Longest time that one step waits for transactions that hold the locks that it needs."""
_LOCK = 7_245_001
"""Key of the advisory lock under which migrations run; it differs from the relay's."""
_LOCK_POLL_SECONDS = 0.1

_FAILURES = (OSError, asyncpg.PostgresError, asyncpg.InterfaceError, SQLAlchemyError)
_OLDEST = """
SELECT pid, application_name, extract(epoch FROM clock_timestamp() - xact_start)::int AS seconds FROM pg_stat_activity
WHERE datname = current_database() AND pid <> pg_backend_pid() AND xact_start IS NOT NULL ORDER BY xact_start LIMIT 3
"""


Connect: TypeAlias = "Callable[[], Awaitable[asyncpg.Connection[Any]]]"


def _ignore(_: str) -> None:
    """A report that is not wanted."""


async def migrate(
    url: str,
    *,
    connect_seconds: float = 10.0,
    patience_seconds: float = PATIENCE_SECONDS,
    target: str = "head",
    report: Report = _ignore,
) -> None:
    """Apply every migration up to `target` that the database at `url` lacks. A newer schema is left as it is.

    Each migration has a transaction of its own, after its preparation. Locks of tables are awaited briefly and again, so
    that requests do not queue behind them; `report` gets each such wait. Several processes may run it at the same time:
    they run one after another, and the later ones change nothing. Raises MigrationFailed.
    """

    async def connect() -> asyncpg.Connection:
        settings = {"application_name": "migrate", "statement_timeout": "0"}
        return await asyncpg.connect(url, timeout=connect_seconds, server_settings=settings)

    # asyncpg opens the connection, because it parses every form of PostgreSQL URL.
    engine = create_async_engine("postgresql+asyncpg://", async_creator=connect, poolclass=NullPool)
    until_free = UntilFree(patience_seconds, report)
    applying = "none"
    try:
        async with _alone(connect) as connection:
            for script in await _pending(engine, target):
                applying = script.revision
                await prepare(connection, getattr(script.module, "PREPARATION", ()), until_free)
                await until_free(partial(_apply, engine, script.revision))
    except LockNotFree as error:
        raise MigrationFailed(await _why_not_free(connect, applying, patience_seconds)) from error
    except _FAILURES as error:
        why = f"the database is left before revision {applying}" if applying != "none" else "the database is unchanged"
        raise MigrationFailed(f"{why}. Cause: {type(error).__name__}: {error}") from error
    finally:
        await engine.dispose()


@asynccontextmanager
async def _alone(connect: Connect) -> AsyncIterator["asyncpg.Connection[Any]"]:
    """A connection that holds the lock of migrations."""
    connection = await connect()
    try:
        await _lock(connection)
        yield connection
    finally:
        connection.terminate()


async def _lock(connection: "asyncpg.Connection[Any]") -> None:
    # Polled: a statement that waits has a snapshot, which the concurrent build of an index would wait for.
    while True:
        if await connection.fetchval("SELECT pg_try_advisory_lock($1)", _LOCK):
            return
        await asyncio.sleep(_LOCK_POLL_SECONDS)


async def _pending(engine: AsyncEngine, target: str) -> Sequence[Script]:
    """The migrations to apply, in order; none when the schema is of a later release."""
    scripts = ScriptDirectory.from_config(_config())
    async with engine.connect() as connection:
        current = await connection.run_sync(lambda each: MigrationContext.configure(each).get_current_revision())
    last = scripts.get_revision(target)
    if last is None or (current or "") >= last.revision:
        return ()  # migrations only add what earlier releases do not use
    return [*scripts.iterate_revisions(target, current or "base")][::-1]


async def _apply(engine: AsyncEngine, revision: str) -> None:
    async with engine.begin() as connection:
        await connection.execute(text(f"SET LOCAL lock_timeout = {LOCK_MILLISECONDS}"))
        await connection.run_sync(_upgrade, revision)


def _upgrade(connection: Connection, revision: str) -> None:
    config = _config()
    config.attributes["connection"] = connection
    command.upgrade(config, revision)
    # Every login may see which revision the schema has, so that a service can wait for the one that it needs.
    connection.execute(text("GRANT SELECT ON alembic_version TO PUBLIC"))


def _config() -> Config:
    config = Config()
    config.set_main_option("script_location", str(Path(migrations.__file__).parent))
    return config


async def _why_not_free(connect: Connect, revision: str, patience_seconds: float) -> str:
    connection = await connect()
    try:
        oldest = [
            f"{row['pid']} ({row['application_name'] or 'unnamed'}, {row['seconds']} s)"
            for row in await connection.fetch(_OLDEST)
        ]
    finally:
        connection.terminate()
    return (
        f"the database is left before revision {revision}, because its tables were locked for {patience_seconds:g} s. "
        f"Migrate again when the oldest transactions have ended; their processes: {', '.join(oldest) or 'none now'}"
    )
