"""All routes of a tenant from PostgreSQL, over connections of their own: a long answer keeps no resolve waiting."""

import math
from typing import Any

import asyncpg
import msgspec

from data_plane.adapters.postgres.replication_evidence import ReplicationEvidence
from data_plane.adapters.postgres.sessions import NotConnected, Sessions
from data_plane.domain.tenant_reading import ActiveRoute, TenantReading
from shared.runtime.clock import Clock, LocalTime
from shared.runtime.health import DependencyHealth
from shared.runtime.resilience import DependencyUnavailable, Guard

TENANT_CONNECTIONS = 2
"""To each database, for watchers that begin; also how many whole tenants it is asked for at once."""
TENANT_SECONDS = 1.5
"""For one whole tenant; below the deadline of a request."""

# One statement is one snapshot: the revision and the routes belong together.
_READ = """
SELECT tenants.revision, pg_is_in_recovery() AS is_standby, transaction_timestamp() AS began,
    (SELECT as_of FROM relay_heartbeat) AS heartbeat,
    (SELECT json_agg(json_build_array(services.name, environments.name, version, url, endpoints.revision)
                     ORDER BY services.name, environments.name, version)
     FROM services
     JOIN environments ON environments.service_id = services.id
     JOIN endpoints ON endpoints.environment_id = environments.id
     WHERE services.tenant_id = tenants.id AND is_active) AS routes
FROM tenants WHERE tenants.name = $1
"""
_routes = msgspec.json.Decoder(tuple[ActiveRoute, ...])


class PostgresTenantSource:
    """One PostgreSQL server, primary or standby, asked for whole tenants."""

    def __init__(self, name: str, url: str, *, guard: Guard, health: DependencyHealth, clock: Clock) -> None:
        self.name = name
        self._guard = guard
        self._clock = clock
        self._sessions = Sessions(name, url, TENANT_CONNECTIONS, greet=_nothing, on_down=health.mark_down)

    async def keep_open(self) -> None:
        """Hold the connections until cancelled; a server that is down is tried again and again."""
        await self._sessions.keep_open()

    async def read_tenant(self, tenant: str) -> TenantReading | None:
        try:
            self._sessions.check()
        except NotConnected as error:
            raise DependencyUnavailable(self.name, str(error)) from error
        async with self._guard.call(), self._sessions.one() as session:
            asked = self._clock.monotonic()
            row = await session.connection.fetchrow(_READ, tenant)
        return None if row is None else _reading(tenant, row, asked)


def _reading(tenant: str, row: Any, asked: LocalTime) -> TenantReading:
    routes = _routes.decode(row["routes"]) if row["routes"] else ()
    newest_at = LocalTime(-math.inf) if row["is_standby"] else asked
    return TenantReading(tenant, row["revision"], routes, ReplicationEvidence.proven_at(row), newest_at)


async def _nothing(_: "asyncpg.Connection[Any]") -> None:
    """There is nothing to remember about the server."""
