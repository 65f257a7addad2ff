"""Real servers, and resolver instances on them in this process."""

from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager

import asyncpg
import pytest

from data_plane.composition.connect import ResolverProcess, connect
from data_plane.settings import DataPlaneSettings
from deploy.local.stack import Stack
from tests.support.postgres import Database
from tests.support.route_writer import RouteWriter
from tests.support.waiting import eventually

Start = Callable[..., AbstractAsyncContextManager[ResolverProcess]]


@pytest.fixture
async def routes(database: Database) -> AsyncIterator[RouteWriter]:
    """The test's database, to write routes into."""
    connection = await asyncpg.connect(database.url, timeout=5)
    yield RouteWriter(connection)
    await connection.close()


@pytest.fixture
async def start(stack: Stack, database: Database) -> Start:
    """Starts an instance, patient with its servers: they share a busy machine with the tests."""

    @asynccontextmanager
    async def start_instance(**changed: object) -> AsyncIterator[ResolverProcess]:
        values = {
            "access": "off",
            "replica_urls": database.replica_url,
            "postgres_url": database.url,
            "redis_url": stack.urls.redis,
            "kafka_bootstrap": stack.urls.kafka,
            "database_timeout_seconds": 2.0,
            "resolve_deadline_seconds": 5.0,
            "redis_timeout_seconds": 1.0,
            "kafka_start_seconds": 15.0,
            "warmup_seconds": 0,  # Redis has the routes of all tests
        }
        process = connect(DataPlaneSettings.model_validate({**values, **changed}))
        async with process.running():
            yield process

    return start_instance


@pytest.fixture
async def pair(start: Start) -> AsyncIterator[tuple[ResolverProcess, ResolverProcess]]:
    """Two instances on the same servers."""
    async with AsyncExitStack() as opened:
        yield (
            await opened.enter_async_context(start(instance_id="one")),
            await opened.enter_async_context(start(instance_id="two")),
        )


@pytest.fixture
async def standby(stack: Stack) -> AsyncIterator["Standby"]:
    """The replica's server, which follows again whatever the test did. All tests' databases are on it."""
    connection = await asyncpg.connect(stack.urls.replicas[0], timeout=5)
    primary = await asyncpg.connect(stack.urls.postgres, timeout=5)
    standby = Standby(connection, primary)
    yield standby
    await standby.resume()
    await connection.close()
    await primary.close()


class Standby:
    """Stops and resumes the replay of the write-ahead log."""

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

    async def follow(self) -> None:
        """Wait until it has replayed what the primary has written so far."""
        end = await self._primary.fetchval("SELECT pg_current_wal_lsn()::text")
        await eventually(lambda: self._has_replayed(end))

    async def _has_replayed(self, end: str) -> bool:
        return bool(await self._connection.fetchval("SELECT pg_last_wal_replay_lsn() >= $1::text::pg_lsn", end))

    async def resume(self) -> None:
        await self._connection.execute("SELECT pg_wal_replay_resume()")
