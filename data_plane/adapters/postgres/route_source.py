"""Routes from PostgreSQL: what a database holds for a key, in one snapshot, and when that snapshot was right."""

import asyncio
from collections.abc import Sequence
from typing import Any

import asyncpg

from data_plane.adapters.postgres import hot_keys as postgres_used
from data_plane.adapters.postgres.replication_evidence import READ, STANDING, ReplicationEvidence
from data_plane.adapters.postgres.sessions import NotConnected, Sessions
from data_plane.domain.entry import State
from data_plane.domain.reading import Reading
from data_plane.domain.remote_clock import PrimaryClock, PrimaryTime
from shared.runtime.clock import Clock, LocalTime
from shared.runtime.health import DependencyHealth
from shared.runtime.metrics import Metrics
from shared.runtime.micro_batcher import BatchedCall
from shared.runtime.resilience import DependencyUnavailable, Guard
from shared.schemas.identity import RouteKey

MOST_KEYS = 250
"""In one query; a larger one would keep those who asked first waiting for the last."""

# Whatever the server complains of: it cannot tell what the route is, and others may.
POSTGRES_FAILURES: tuple[type[Exception], ...] = (asyncpg.PostgresError, asyncpg.InterfaceError)


class PostgresRouteSource:
    """One PostgreSQL server, primary or standby: it says itself which of them it is.

    All keys that are asked for in one turn of the event loop share a query.
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
        self._reads = BatchedCall(self._read, max_concurrent=connections, max_size=MOST_KEYS, sizes=sizes)
        self._sessions = Sessions(name, url, connections, greet=self._greet, on_down=health.mark_down)

    async def keep_open(self) -> None:
        """Hold the connections until cancelled; a server that is down is tried again and again."""
        await self._sessions.keep_open()

    async def wait_connected(self, seconds: float) -> bool:
        """Wait for the first connection, at most so long. Returns whether there is one."""
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
            rows = await session.connection.fetch(READ, *_columns(keys))
            # All rows tell the same of the server.
            standing, before = self._standing(rows[0], sent), session.memory
            session.memory = max(before, standing.shown_afterwards)
        read_at = max(before, standing.in_snapshot)
        proven = ReplicationEvidence.proven_at(rows[0])
        return [_reading(key, row, read_at, proven) for key, row in zip(keys, rows, strict=True)]

    async def used(self, most: int) -> Sequence[RouteKey]:
        """The newest routes; see `UsedRoutes`."""
        self._check()
        async with self._guard.call(within=postgres_used.SECONDS), self._sessions.one() as session:
            return await postgres_used.newest_routes(session.connection, most)

    async def now(self) -> PrimaryTime:
        """POSIX seconds on this server."""
        self._check()
        async with self._guard.call(), self._sessions.one() as session:
            now: float = await session.connection.fetchval("SELECT extract(epoch FROM clock_timestamp())::float8")
            return PrimaryTime(now)

    def _check(self) -> None:
        # Before the guard: its breaker would keep the server out for seconds after the connection is back.
        try:
            self._sessions.check()
        except NotConnected as error:
            raise DependencyUnavailable(self.name, str(error)) from error

    async def _greet(self, connection: "asyncpg.Connection[Any]") -> LocalTime:
        """What a new connection remembers: until when its server is known to have heard everything."""
        sent = self._clock.monotonic()
        return self._standing(await connection.fetchrow(STANDING), sent).shown_afterwards

    def _standing(self, row: Any, sent: LocalTime) -> ReplicationEvidence:
        return ReplicationEvidence.of(
            row, sent=sent, received=self._clock.monotonic(), primary_clock=self._primary_clock
        )


def _columns(keys: Sequence[RouteKey]) -> tuple[list[str], list[str], list[str], list[str]]:
    return (
        [key.tenant for key in keys],
        [key.service for key in keys],
        [key.env for key in keys],
        [key.version for key in keys],
    )


def _reading(key: RouteKey, row: Any, read_at: LocalTime, proven: PrimaryTime) -> Reading:
    tenant_revision = row["tenant_revision"] or 0
    if row["revision"] is None:
        return Reading(key, State.ABSENT, None, tenant_revision, tenant_revision, read_at, proven)
    if not row["is_active"]:
        return Reading(key, State.INACTIVE, None, row["revision"], tenant_revision, read_at, proven)
    return Reading(key, State.ACTIVE, row["url"], row["revision"], tenant_revision, read_at, proven)
