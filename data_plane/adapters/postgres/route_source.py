"""Routes from PostgreSQL: the value of a key in one snapshot, and the time at which the snapshot was right."""

import asyncio
from collections.abc import Sequence
from typing import Any

import asyncpg

from data_plane.adapters.postgres.replication_evidence import (
    EVIDENCE_COLUMNS,
    READ_EVIDENCE,
    WAL_RECEIVER,
    ReplicationEvidence,
)
from data_plane.adapters.postgres.route_value import COLUMNS, value_from
from data_plane.adapters.postgres.sessions import NotConnected, Sessions
from data_plane.domain.entry import State
from data_plane.domain.reading import Reading
from data_plane.domain.remote_clock import PrimaryClock, PrimaryTime
from shared.runtime.clock import Clock, LocalTime
from shared.runtime.deadlines import Deadlines
from shared.runtime.health import DependencyHealth
from shared.runtime.metrics import Metrics
from shared.runtime.micro_batcher import BatchedCall
from shared.runtime.resilience import DependencyUnavailable, Guard
from shared.schemas.identity import RouteKey

MAX_BATCH_KEYS = 250
"""Keys per query: all callers of a query wait for its last row."""
HOT_KEYS_SECONDS = 2.0
"""Timeout of the query for the newest routes. It reads no more rows than requested, in the order of the primary key."""

_BEGIN_HOT_KEYS = f"BEGIN; SET LOCAL statement_timeout = {int(1000 * Deadlines(HOT_KEYS_SECONDS).statement_seconds)}"

# Any error of the server: another source may have the route.
POSTGRES_FAILURES: tuple[type[Exception], ...] = (asyncpg.PostgresError, asyncpg.InterfaceError)

# One row per requested key, in order: $1 tenants, $2 services, $3 environments, $4 versions.
_READ = f"""
SELECT tenants.revision AS tenant_revision, {COLUMNS}, endpoints.is_active, endpoints.revision, {EVIDENCE_COLUMNS}
FROM unnest($1::text[], $2::text[], $3::text[], $4::text[])
     WITH ORDINALITY AS requested (tenant, service, environment, version, place)
LEFT JOIN tenants ON tenants.name = requested.tenant
LEFT JOIN services ON services.tenant_id = tenants.id AND services.name = requested.service
LEFT JOIN environments ON environments.service_id = services.id AND environments.name = requested.environment
LEFT JOIN endpoints ON endpoints.environment_id = environments.id AND endpoints.version = requested.version
LEFT JOIN {WAL_RECEIVER} ON true
ORDER BY requested.place
"""  # noqa: S608 - constants only

_NEWEST = """
SELECT tenants.name AS tenant, services.name AS service, environments.name AS environment, newest.version
FROM (SELECT id, environment_id, version FROM endpoints WHERE is_active ORDER BY id DESC LIMIT $1) AS newest
JOIN environments ON environments.id = newest.environment_id
JOIN services ON services.id = environments.service_id
JOIN tenants ON tenants.id = services.tenant_id
"""


class PostgresRouteSource:
    """One PostgreSQL server. Each row says whether it is the primary or a standby, because a failover changes that.

    Keys that are read in one iteration of the event loop share a query.
    """

    def __init__(
        self,
        name: str,
        url: str,
        *,
        connections: int,
        guard: Guard,
        health: DependencyHealth,
        primary_clock: PrimaryClock,
        clock: Clock,
        metrics: Metrics,
    ) -> None:
        self.name = name
        self._guard = guard
        self._clock = clock
        self._primary_clock = primary_clock
        source = "primary" if name == "postgres" else "replica"
        sizes = metrics.histogram("tm_load_batch_keys").labels(source)
        self._reads = BatchedCall(self._read, max_concurrent=connections, max_size=MAX_BATCH_KEYS, sizes=sizes)
        self._sessions = Sessions(
            name,
            url,
            connections,
            timeout_seconds=guard.timeout_seconds,
            greet=self._greet,
            on_down=health.mark_down,
            on_up=health.mark_up,
        )

    async def keep_open(self) -> None:
        """Keep the connections open until cancelled; a server that is down is retried."""
        await self._sessions.keep_open()

    async def wait_connected(self, seconds: float) -> bool:
        """Wait for the first connection, at most this long. Returns whether there is one."""
        try:
            async with asyncio.timeout(seconds):
                await self._sessions.connected.wait()
        except TimeoutError:
            return False
        return True

    async def read(self, key: RouteKey) -> Reading:
        return await self._reads(key)

    async def _read(self, keys: Sequence[RouteKey]) -> Sequence[Reading]:
        self._check()
        async with self._guard.call(), self._sessions.one() as session:
            sent = self._clock.monotonic()
            # asyncpg prepares it once per connection.
            rows = await session.connection.fetch(_READ, *_columns(keys))
            # The evidence is the same in all rows.
            evidence, earlier = self._evidence(rows[0], sent), session.memory
            session.memory = max(earlier, evidence.for_later_snapshots)
        read_at = max(earlier, evidence.for_this_snapshot)
        proven_at = ReplicationEvidence.proven_at(rows[0])
        return [_reading(key, row, read_at, proven_at) for key, row in zip(keys, rows, strict=True)]

    async def hot_keys(self, limit: int) -> Sequence[RouteKey]:
        """The active routes created last, which are likely to be requested soon."""
        self._check()
        async with self._guard.call(within=HOT_KEYS_SECONDS), self._sessions.one() as session:
            rows = await _within_hot_keys_timeout(session.connection, limit)
        return [RouteKey(row["tenant"], row["service"], row["environment"], row["version"]) for row in rows]

    async def now(self) -> PrimaryTime:
        """This server's clock."""
        self._check()
        async with self._guard.call(), self._sessions.one() as session:
            now: float = await session.connection.fetchval("SELECT extract(epoch FROM clock_timestamp())::float8")
            return PrimaryTime(now)

    def _check(self) -> None:
        # Before the guard: an open breaker would exclude the server for seconds after the connection is back.
        try:
            self._sessions.check()
        except NotConnected as error:
            raise DependencyUnavailable(self.name, str(error)) from error

    async def _greet(self, connection: "asyncpg.Connection[Any]") -> LocalTime:
        """The memory of a new session: the time up to which its server is proven to have every change."""
        sent = self._clock.monotonic()
        return self._evidence(await connection.fetchrow(READ_EVIDENCE), sent).for_later_snapshots

    def _evidence(self, row: Any, sent: LocalTime) -> ReplicationEvidence:
        return ReplicationEvidence.of(
            row, sent=sent, received=self._clock.monotonic(), primary_clock=self._primary_clock
        )


async def _within_hot_keys_timeout(connection: "asyncpg.Connection[Any]", limit: int) -> Sequence[Any]:
    """The newest routes, with a limit that is longer than that of other queries."""
    try:
        # Without asyncpg's own transaction, which would wait without end for a frozen server to roll back.
        await connection.execute(_BEGIN_HOT_KEYS)
        rows = await connection.fetch(_NEWEST, limit)
        await connection.execute("COMMIT")
    except BaseException:
        connection.terminate()
        raise
    return rows


def _columns(keys: Sequence[RouteKey]) -> tuple[list[str], list[str], list[str], list[str]]:
    return (
        [key.tenant for key in keys],
        [key.service for key in keys],
        [key.env for key in keys],
        [key.version for key in keys],
    )


def _reading(key: RouteKey, row: Any, read_at: LocalTime, proven_at: PrimaryTime) -> Reading:
    tenant_revision = row["tenant_revision"] or 0
    if row["revision"] is None:
        return Reading(key, State.ABSENT, None, tenant_revision, tenant_revision, read_at, proven_at)
    if not row["is_active"]:
        return Reading(key, State.INACTIVE, None, row["revision"], tenant_revision, read_at, proven_at)
    return Reading(key, State.ACTIVE, value_from(row), row["revision"], tenant_revision, read_at, proven_at)
