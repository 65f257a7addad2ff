"""Writes routes to PostgreSQL as the control plane does, and returns their events."""

from datetime import datetime
from typing import Any

import asyncpg

from shared.schemas.events import Action, RouteChanged
from shared.schemas.identity import RouteKey
from tests.support.factories import a_change, a_change_set

# One statement, so that the change set is atomic for readers.
_WRITE = """
WITH tenant AS (
    INSERT INTO tenants (name, revision) VALUES ($1, 1)
    ON CONFLICT (name) DO UPDATE SET revision = tenants.revision + 1 RETURNING id, revision
), service AS (
    INSERT INTO services (tenant_id, name) SELECT id, $2 FROM tenant
    ON CONFLICT (tenant_id, name) DO UPDATE SET name = excluded.name RETURNING id
), environment AS (
    INSERT INTO environments (tenant_id, service_id, name) SELECT tenant.id, service.id, $3 FROM tenant, service
    ON CONFLICT (service_id, name) DO UPDATE SET name = excluded.name RETURNING id
), endpoint AS (
    INSERT INTO endpoints (tenant_id, environment_id, version, url, is_active, revision, created_at, updated_at)
    SELECT tenant.id, environment.id, $4, coalesce($5, 'https://inactive.example.com'), $5 IS NOT NULL, tenant.revision, now(), now()
    FROM environment, tenant
    ON CONFLICT (environment_id, version) DO UPDATE
    SET url = coalesce($5, endpoints.url), is_active = excluded.is_active, revision = excluded.revision
)
SELECT revision, clock_timestamp() AS at FROM tenant
"""


class RouteWriter:
    """Writes routes and heartbeats directly to the primary."""

    def __init__(self, connection: "asyncpg.Connection[Any]") -> None:
        self._connection = connection

    async def put(self, key: RouteKey, url: str | None) -> RouteChanged:
        """Commits a route: active with this URL, or inactive (None)."""
        row = await self._connection.fetchrow(_WRITE, key.tenant, key.service, key.env, key.version, url)
        assert row is not None
        return _event(key, url, row["revision"], row["at"])

    async def heartbeat(self) -> datetime:
        """Writes the heartbeat row that the relay writes after it has published every earlier event."""
        at: datetime = await self._connection.fetchval(
            "INSERT INTO relay_heartbeat (as_of) VALUES (clock_timestamp()) "
            "ON CONFLICT (only_row) DO UPDATE SET as_of = excluded.as_of RETURNING as_of"
        )
        return at


def _event(key: RouteKey, url: str | None, revision: int, at: datetime) -> RouteChanged:
    change = a_change(
        Action.UPDATED if url else Action.DEACTIVATED,
        service=key.service,
        env=key.env,
        version=key.version,
        url=url or "https://inactive.example.com",
        is_active=url is not None,
    )
    return a_change_set(change, tenant=key.tenant, revision=revision, occurred_at=at)
