"""All routes of a tenant from PostgreSQL, over separate connections, so that a large tenant delays no resolve request."""

import math
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import Any, TypeAlias

import asyncpg

from data_plane.adapters.postgres.replication_evidence import ReplicationEvidence
from data_plane.adapters.postgres.route_value import COLUMNS, value_from
from data_plane.adapters.postgres.sessions import NotConnected, Sessions
from data_plane.domain.tenant_reading import ActiveRoute, TenantReading
from shared.runtime.clock import Clock, LocalTime
from shared.runtime.health import DependencyHealth
from shared.runtime.resilience import DependencyUnavailable, Guard

TENANT_CONNECTIONS = 2
"""Connections to each database for new watches, and so the number of concurrent reads."""
TENANT_SECONDS = 1.5
"""Timeout of one answer of the server, below the deadline of a request."""
WHOLE_SECONDS = 10.0
"""Timeout of a whole reading: its user encodes each slice, and a busy process is no failure of the server."""

SLICE_ROUTES = 500
"""Routes in one answer of the server, and so in memory, of 2 KiB each at most."""

_Connection: TypeAlias = "asyncpg.Connection[Any]"
_BEGIN = "BEGIN ISOLATION LEVEL REPEATABLE READ, READ ONLY"
_TENANT = """
SELECT id, revision, pg_is_in_recovery() AS is_standby, transaction_timestamp() AS began,
    (SELECT as_of FROM relay_heartbeat) AS heartbeat
FROM tenants WHERE name = $1
"""
_ROUTES = f"""
SELECT services.name AS service, environments.name AS env, version, {COLUMNS}, endpoints.revision
FROM services
JOIN environments ON environments.service_id = services.id
JOIN endpoints ON endpoints.environment_id = environments.id
WHERE services.tenant_id = $1 AND is_active
ORDER BY services.name, environments.name, version
"""  # noqa: S608 - constants only


class PostgresTenantSource:
    """One PostgreSQL server, primary or standby."""

    def __init__(
        self,
        name: str,
        url: str,
        *,
        guard: Guard,
        health: DependencyHealth,
        clock: Clock,
        slice_routes: int = SLICE_ROUTES,
    ) -> None:
        self.name = name
        self._guard = guard
        self._clock = clock
        self._slice_routes = slice_routes
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

    @asynccontextmanager
    async def open_tenant(self, tenant: str) -> AsyncIterator[TenantReading | None]:
        try:
            self._sessions.check()
        except NotConnected as error:
            raise DependencyUnavailable(self.name, str(error)) from error
        async with (
            self._guard.call(within=WHOLE_SECONDS),
            self._sessions.one() as session,
            _transaction(session.connection) as connection,
        ):
            sent = self._clock.monotonic()
            await connection.execute(_BEGIN, timeout=TENANT_SECONDS)
            # The first statement takes the snapshot, which all later ones read.
            row = await connection.fetchrow(_TENANT, tenant, timeout=TENANT_SECONDS)
            yield (
                None if row is None else _reading(tenant, row, sent, _slices(connection, row["id"], self._slice_routes))
            )


@asynccontextmanager
async def _transaction(connection: _Connection) -> AsyncIterator[_Connection]:
    """Ends the transaction that the block begins; a connection on which the block failed is closed."""
    # Without asyncpg's own transaction, which would wait without end for a frozen server to roll back.
    try:
        yield connection
        await connection.execute("ROLLBACK", timeout=TENANT_SECONDS)  # nothing was written
    except BaseException:
        connection.terminate()
        raise


def _reading(tenant: str, row: Any, sent: LocalTime, slices: AsyncIterator[Sequence[ActiveRoute]]) -> TenantReading:
    newest_at = LocalTime(-math.inf) if row["is_standby"] else sent
    return TenantReading(tenant, row["revision"], slices, ReplicationEvidence.proven_at(row), newest_at)


async def _slices(connection: _Connection, tenant_id: int, size: int) -> AsyncIterator[Sequence[ActiveRoute]]:
    # A cursor, because neither the loop nor the memory must bear all routes of a large tenant at once.
    cursor = await connection.cursor(_ROUTES, tenant_id, timeout=TENANT_SECONDS)
    while rows := await cursor.fetch(size, timeout=TENANT_SECONDS):
        yield [
            ActiveRoute(row["service"], row["env"], row["version"], value_from(row), row["revision"]) for row in rows
        ]


async def _no_memory(_: "asyncpg.Connection[Any]") -> None:
    """A session needs no memory of the server."""
