"""Migrates a database's schema to this release. Forward only."""

from pathlib import Path

import asyncpg
from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from sqlalchemy import Connection, text
from sqlalchemy.ext.asyncio import create_async_engine
from sqlalchemy.pool import NullPool

from control_plane import migrations
from control_plane.adapters.postgres.schema_revision import REQUIRED_REVISION
from control_plane.errors import MigrationFailed

_LOCK = 7_245_001
"""Key of the advisory lock under which migrations run; it differs from the relay's."""

_UNREACHABLE = (OSError, asyncpg.PostgresError, asyncpg.InterfaceError)


async def migrate(url: str, *, connect_seconds: float = 10.0) -> None:
    """Apply every migration that the database at `url` lacks, in one transaction. A newer schema is left as it is.

    Several processes may run it at the same time: they run one after another, and the later ones change nothing.
    Raises MigrationFailed.
    """

    async def connect() -> asyncpg.Connection:
        return await asyncpg.connect(url, timeout=connect_seconds, server_settings={"application_name": "migrate"})

    # asyncpg opens the connection, because it parses every form of PostgreSQL URL.
    engine = create_async_engine("postgresql+asyncpg://", async_creator=connect, poolclass=NullPool)
    try:
        async with engine.begin() as connection:
            await connection.execute(text("SELECT pg_advisory_xact_lock(:lock)"), {"lock": _LOCK})
            await connection.run_sync(_upgrade)
    except _UNREACHABLE as error:
        raise MigrationFailed(f"the database is unchanged. Cause: {type(error).__name__}: {error}") from error
    finally:
        await engine.dispose()


def _upgrade(connection: Connection) -> None:
    if (MigrationContext.configure(connection).get_current_revision() or "") > REQUIRED_REVISION:
        return  # of a later release: migrations only add what earlier releases do not use
    config = Config()
    config.set_main_option("script_location", str(Path(migrations.__file__).parent))
    config.attributes["connection"] = connection
    command.upgrade(config, "head")
    # Every login may see which revision the schema has, so that a service can wait for the one that it needs.
    connection.execute(text("GRANT SELECT ON alembic_version TO PUBLIC"))
