"""The lag of a replica, read over a separate connection, so that a busy server does not seem to lag."""

import asyncio
import math
from typing import Any

import asyncpg

from data_plane.adapters.postgres.sessions import NotConnected, Sessions
from data_plane.domain.remote_clock import PrimaryClock
from shared.runtime.clock import Clock
from shared.runtime.resilience import DependencyUnavailable

QUERY_SECONDS = 1.0

# The comparison is NULL if nothing was ever received by streaming, because pg_last_wal_receive_lsn is NULL then.
_LAG = """
SELECT pg_is_in_recovery() AS is_standby,
       EXISTS (SELECT FROM pg_stat_wal_receiver WHERE status = 'streaming')
           AND pg_last_wal_replay_lsn() >= pg_last_wal_receive_lsn() AS has_replayed_all,
       (SELECT as_of FROM relay_heartbeat) AS heartbeat,
       clock_timestamp() AS server_time
"""


class PostgresReplicaLag:
    """0 if the replica streams and has replayed all it received, else the age of the last replayed heartbeat.

    Positions alone prove nothing: a disconnected replica has also replayed all it received. The age is measured on the
    primary's clock, or on the replica's while that is unknown. Without a heartbeat it is infinite.
    """

    def __init__(self, name: str, url: str, *, primary_clock: PrimaryClock, clock: Clock) -> None:
        self.name = name
        self._primary_clock = primary_clock
        self._clock = clock
        self._sessions: Sessions[None] = Sessions(
            name, url, 1, timeout_seconds=QUERY_SECONDS, greet=_no_memory, on_down=lambda _: None, on_up=lambda: None
        )

    async def keep_open(self) -> None:
        """Keep the connection open until cancelled."""
        await self._sessions.keep_open()

    async def lag(self) -> float:
        try:
            self._sessions.check()
            async with asyncio.timeout(QUERY_SECONDS), self._sessions.one() as session:
                [row] = await session.connection.fetch(_LAG)
        except (NotConnected, OSError, TimeoutError, asyncpg.PostgresError, asyncpg.InterfaceError) as error:
            raise DependencyUnavailable(self.name, f"{type(error).__name__}: {error}") from error
        return 0.0 if not row["is_standby"] or row["has_replayed_all"] else self._heartbeat_age(row)

    def _heartbeat_age(self, row: Any) -> float:
        if row["heartbeat"] is None:
            return math.inf
        primary_time = self._primary_clock.latest(self._clock.monotonic())
        now: float = row["server_time"].timestamp() if primary_time is None else primary_time
        heartbeat: float = row["heartbeat"].timestamp()
        return max(0.0, now - heartbeat)


async def _no_memory(_: "asyncpg.Connection[Any]") -> None:
    return None
