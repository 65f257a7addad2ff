"""Control over the replay of the replica's server."""

import asyncpg

from tests.support.waiting import eventually


class Standby:
    """Pauses and resumes the replay of the write-ahead log."""

    def __init__(
        self, connection: "asyncpg.Connection[asyncpg.Record]", primary: "asyncpg.Connection[asyncpg.Record]"
    ) -> None:
        self._connection = connection
        self._primary = primary

    async def pause(self) -> None:
        await self._connection.execute("SELECT pg_wal_replay_pause()")
        await eventually(self._is_paused)

    async def _is_paused(self) -> bool:
        return bool(await self._connection.fetchval("SELECT pg_get_wal_replay_pause_state() = 'paused'"))

    async def catch_up(self) -> None:
        """Waits until the replica has replayed everything that the primary has written."""
        end = await self._primary.fetchval("SELECT pg_current_wal_lsn()::text")
        await eventually(lambda: self._has_replayed(end))

    async def _has_replayed(self, end: str) -> bool:
        return bool(await self._connection.fetchval("SELECT pg_last_wal_replay_lsn() >= $1::text::pg_lsn", end))

    async def resume(self) -> None:
        await self._connection.execute("SELECT pg_wal_replay_resume()")
