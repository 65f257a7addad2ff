"""How far a replica is behind, asked over a connection of its own: a server that is busy is not one that is behind."""

import asyncio
import math
from typing import Any

import asyncpg

from data_plane.adapters.postgres.sessions import NotConnected, Sessions
from data_plane.domain.remote_clock import PrimaryClock
from shared.runtime.clock import Clock
from shared.runtime.resilience import DependencyUnavailable

ANSWER_SECONDS = 1.0

# pg_last_wal_receive_lsn is NULL where nothing was ever received by streaming, and so is the comparison then.
_LAG = """
SELECT pg_is_in_recovery() AS is_standby,
       EXISTS (SELECT FROM pg_stat_wal_receiver WHERE status = 'streaming')
           AND pg_last_wal_replay_lsn() >= pg_last_wal_receive_lsn() AS has_all,
       (SELECT as_of FROM relay_heartbeat) AS heartbeat,
       clock_timestamp() AS server_time
"""


class PostgresReplicaLag:
    """0 when the replica has replayed all it received, and still streams; else the age of the last heartbeat replayed.

    A position alone does not tell: a replica that was cut off has replayed all it received, too. The age is taken on the
    primary's clock, or on the replica's own while that is not known; without any heartbeat it is infinite.
    """

    def __init__(self, name: str, url: str, *, primary_clock: PrimaryClock, clock: Clock) -> None:
        self.name = name
        self._primary_clock = primary_clock
        self._clock = clock
        self._sessions: Sessions[None] = Sessions(name, url, 1, greet=_nothing, on_down=lambda _: None)

    async def keep_open(self) -> None:
        """Hold the connection until cancelled."""
        await self._sessions.keep_open()

    async def lag(self) -> float:
        try:
            self._sessions.check()
            async with asyncio.timeout(ANSWER_SECONDS), self._sessions.one() as session:
                [row] = await session.connection.fetch(_LAG)
        except (NotConnected, OSError, TimeoutError, asyncpg.PostgresError, asyncpg.InterfaceError) as error:
            raise DependencyUnavailable(self.name, f"{type(error).__name__}: {error}") from error
        return 0.0 if not row["is_standby"] or row["has_all"] else self._heartbeat_age(row)

    def _heartbeat_age(self, row: Any) -> float:
        if row["heartbeat"] is None:
            return math.inf
        primary_time = self._primary_clock.latest(self._clock.monotonic())
        now: float = row["server_time"].timestamp() if primary_time is None else primary_time
        shown: float = row["heartbeat"].timestamp()
        return max(0.0, now - shown)


async def _nothing(_: "asyncpg.Connection[Any]") -> None:
    return None
