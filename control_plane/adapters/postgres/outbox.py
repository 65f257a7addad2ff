"""The outbox in PostgreSQL, and the session of the relay that publishes from it."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from typing import TypeAlias

import asyncpg

from control_plane.adapters.postgres.outbox_session import CHANNEL, PostgresOutboxSession
from control_plane.adapters.postgres.primary import END_WITH_CLIENT, Primary
from control_plane.domain.outbox import Backlog
from control_plane.errors import LeadershipLost
from shared.runtime.resilience import DependencyUnavailable, Guard

QUARANTINE_BYTES = 256 * 1024 * 1024
_SIGNAL = f"SELECT pg_notify('{CHANNEL}', '')"

# The server ends the session of a stopped relay (crashed host, paused process), which frees the lock.
_SESSION_SETTINGS = {
    "application_name": "outbox_relay",
    "role": "tm_relay",
    "jit": "off",
    "idle_session_timeout": "10s",
    "statement_timeout": "4500",  # before the guard gives up
    **END_WITH_CLIENT,
    "tcp_keepalives_idle": "3",
    "tcp_keepalives_interval": "2",
    "tcp_keepalives_count": "3",
}
_CLOSE_SECONDS = 1.0

_BACKLOG = """
SELECT count(*) AS unsent,
       coalesce(extract(epoch FROM clock_timestamp() - min(created_at)), 0)::float8 AS oldest_seconds,
       (SELECT count(*) FROM quarantined_records) AS quarantined
FROM outbox WHERE sent_at IS NULL
"""

_Connection: TypeAlias = "asyncpg.Connection[asyncpg.Record]"


class PostgresOutbox:
    """The Outbox port. A relay's session has its own connection, outside the pool, because it holds the lock."""

    def __init__(self, primary: Primary, url: str, guard: Guard, *, quarantine_bytes: int = QUARANTINE_BYTES) -> None:
        """`quarantine_bytes`: of the values in quarantine; further records are kept there without theirs."""
        self._quarantine_bytes = quarantine_bytes
        self._primary = primary
        self._url = url
        self._guard = guard

    @asynccontextmanager
    async def session(self, on_signal: Callable[[], None]) -> AsyncIterator[PostgresOutboxSession]:
        connection = await self._connect()
        try:
            async with _until_terminated(connection):
                yield PostgresOutboxSession(connection, self._guard, on_signal, self._quarantine_bytes)
            with suppress(OSError, TimeoutError, asyncpg.InterfaceError, asyncpg.PostgresError):
                await connection.close(timeout=_CLOSE_SECONDS)
        finally:
            connection.terminate()

    async def _connect(self) -> "_Connection":
        try:
            async with self._guard.call():
                return await asyncpg.connect(self._url, server_settings=_SESSION_SETTINGS)
        except DependencyUnavailable as error:
            raise LeadershipLost(str(error)) from error

    async def signal(self) -> None:
        # Not in the transaction of a change: commits with a notification exclude each other across all tenants.
        async with self._primary.connection() as connection:
            await connection.execute(_SIGNAL)

    async def backlog(self) -> Backlog:
        async with self._primary.platform("tm_relay") as connection:
            row = await connection.fetchrow(_BACKLOG)
        assert row is not None  # noqa: S101 - an aggregate has one row
        return Backlog(row["unsent"], max(0.0, row["oldest_seconds"]), row["quarantined"])


@asynccontextmanager
async def _until_terminated(connection: "_Connection") -> AsyncIterator[None]:
    """Runs the block; raises LeadershipLost inside it as soon as the connection ends."""
    scope = asyncio.timeout(None)

    def expire(_: object) -> None:
        with suppress(RuntimeError):  # the block has already ended
            scope.reschedule(asyncio.get_running_loop().time())

    connection.add_termination_listener(expire)
    try:
        async with scope:
            yield
    except TimeoutError as error:
        if not scope.expired():
            raise
        raise LeadershipLost("the connection to PostgreSQL that holds the relay's lock was ended") from error
    finally:
        connection.remove_termination_listener(expire)
