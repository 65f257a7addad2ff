"""Tenants in PostgreSQL."""

from collections.abc import Sequence

import asyncpg

from control_plane.adapters.postgres.primary import Primary
from control_plane.domain.routes import Tenant
from control_plane.errors import NoSuchTenant, SchemaChanged
from shared.runtime.retries import retried_once

_GET = "SELECT name, revision, created_at FROM tenants WHERE name = $1"
_INSERT = "INSERT INTO tenants (name) VALUES ($1) ON CONFLICT DO NOTHING RETURNING name, revision, created_at"
_PAGE = """
SELECT name, revision, created_at FROM tenants WHERE $1::text IS NULL OR name > $1 ORDER BY name LIMIT $2
"""


class PostgresTenants:
    """The Tenants port on the primary."""

    def __init__(self, primary: Primary) -> None:
        self._primary = primary

    @retried_once(SchemaChanged)
    async def create(self, name: str) -> tuple[Tenant, bool]:
        async with self._primary.transaction(name) as connection:
            found = await connection.fetchrow(_GET, name)
            if found is not None:
                return _tenant(found), False
            created = await connection.fetchrow(_INSERT, name)
            if created is not None:
                return _tenant(created), True
            # Another transaction created it since the first read, and tenants are never removed.
            return _tenant(await connection.fetchrow(_GET, name)), False

    @retried_once(SchemaChanged)
    async def get(self, name: str) -> Tenant:
        async with self._primary.read(name) as connection:
            found = await connection.fetchrow(_GET, name)
        if found is None:
            raise NoSuchTenant(name)
        return _tenant(found)

    @retried_once(SchemaChanged)
    async def page(self, after: str | None, limit: int) -> Sequence[Tenant]:
        async with self._primary.read(None) as connection:
            return [_tenant(row) for row in await connection.fetch(_PAGE, after, limit)]


def _tenant(row: asyncpg.Record | None) -> Tenant:
    assert row is not None  # noqa: S101
    return Tenant(row["name"], row["revision"], row["created_at"])
