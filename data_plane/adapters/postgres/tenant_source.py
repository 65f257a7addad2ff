"""All routes of a tenant from PostgreSQL, over separate connections, so that a large tenant delays no resolve request."""

import math
from typing import Any

import asyncpg
import msgspec

from data_plane.adapters.postgres.replication_evidence import ReplicationEvidence
from data_plane.adapters.postgres.route_value import OBJECT
from data_plane.adapters.postgres.sessions import NotConnected, Sessions
from data_plane.domain.tenant_reading import ActiveRoute, TenantReading
from shared.runtime.clock import Clock, LocalTime
from shared.runtime.health import DependencyHealth
from shared.runtime.resilience import DependencyUnavailable, Guard

TENANT_CONNECTIONS = 2
"""Connections to each database for new watches, and so the number of concurrent reads."""
TENANT_SECONDS = 1.5
"""Timeout of one read, below the deadline of a request."""

# One statement reads one snapshot, so the routes are those of the revision.
_READ = f"""
SELECT tenants.revision, pg_is_in_recovery() AS is_standby, transaction_timestamp() AS began,
    (SELECT as_of FROM relay_heartbeat) AS heartbeat,
    (SELECT json_agg(json_build_array(services.name, environments.name, version, {OBJECT}, endpoints.revision)
                     ORDER BY services.name, environments.name, version)
     FROM services
     JOIN environments ON environments.service_id = services.id
     JOIN endpoints ON endpoints.environment_id = environments.id
     WHERE services.tenant_id = tenants.id AND is_active) AS routes
FROM tenants WHERE tenants.name = $1
"""  # noqa: S608 - constants only
_routes = msgspec.json.Decoder(tuple[ActiveRoute, ...])


class PostgresTenantSource:
    """One PostgreSQL server, primary or standby."""

    def __init__(self, name: str, url: str, *, guard: Guard, health: DependencyHealth, clock: Clock) -> None:
        self.name = name
        self._guard = guard
        self._clock = clock
        self._sessions = Sessions(
            name,
            url,
            TENANT_CONNECTIONS,
            timeout_seconds=TENANT_SECONDS,
            greet=_no_memory,
            on_down=health.mark_down,
            on_up=health.mark_up,
        )

    async def keep_open(self) -> None:
        """Keep the connections open until cancelled; a server that is down is retried."""
        await self._sessions.keep_open()

    async def read_tenant(self, tenant: str) -> TenantReading | None:
        try:
            self._sessions.check()
        except NotConnected as error:
            raise DependencyUnavailable(self.name, str(error)) from error
        async with self._guard.call(), self._sessions.one() as session:
            sent = self._clock.monotonic()
            row = await session.connection.fetchrow(_READ, tenant)
        return None if row is None else _reading(tenant, row, sent)


def _reading(tenant: str, row: Any, sent: LocalTime) -> TenantReading:
    routes = _routes.decode(row["routes"]) if row["routes"] else ()
    newest_at = LocalTime(-math.inf) if row["is_standby"] else sent
    return TenantReading(tenant, row["revision"], routes, ReplicationEvidence.proven_at(row), newest_at)


async def _no_memory(_: "asyncpg.Connection[Any]") -> None:
    """A session needs no memory of the server."""
