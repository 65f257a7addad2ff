"""The revision of a database's schema, and the one that this release needs. Serving accepts a newer schema."""

import asyncio
import pkgutil
import re
from collections.abc import Callable

import asyncpg

from control_plane.migrations import versions

REQUIRED_REVISION = max(
    found[1] for module in pkgutil.iter_modules(versions.__path__) if (found := re.match(r"v(\d{4})_", module.name))
)
"""Revisions have four digits, so that newer ones compare as greater."""

RETRY_SECONDS = 2.0
_CONNECT_SECONDS = 10.0
_UNREADABLE = (OSError, TimeoutError, asyncpg.PostgresError, asyncpg.InterfaceError)


async def wait_for_schema(url: str, report: Callable[[str], object], *, retry_seconds: float = RETRY_SECONDS) -> None:
    """Return when the schema of the database at `url` is at least what this release needs.

    `report` gets the reason, each time that the schema is older or cannot be read.
    """
    while (problem := await _problem(url)) is not None:
        report(problem)
        await asyncio.sleep(retry_seconds)


async def _problem(url: str) -> str | None:
    try:
        connection = await asyncpg.connect(url, timeout=_CONNECT_SECONDS)
        try:
            revision = await connection.fetchval("SELECT version_num FROM alembic_version", timeout=_CONNECT_SECONDS)
        finally:
            await connection.close(timeout=_CONNECT_SECONDS)
    except _UNREADABLE as error:
        return f"the schema's revision cannot be read: {type(error).__name__}: {error}"
    if revision is None or revision < REQUIRED_REVISION:
        return f"the schema has revision {revision}, and this release needs {REQUIRED_REVISION}; run the migration"
    return None
