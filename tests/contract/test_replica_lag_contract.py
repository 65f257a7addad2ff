"""The ReplicaLag port: PostgreSQL, primary and replica."""

import asyncio
import math
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import asyncpg
import pytest

from data_plane.adapters.postgres.replica_lag import PostgresReplicaLag
from data_plane.domain.remote_clock import PrimaryClock
from deploy.local.stack import Stack
from shared.runtime.clock import SystemClock
from shared.runtime.resilience import DependencyUnavailable
from tests.support.postgres import Database
from tests.support.route_writer import RouteWriter
from tests.support.waiting import eventually


@asynccontextmanager
async def replica_lag(url: str) -> AsyncIterator[PostgresReplicaLag]:
    """The adapter on that server, once it is connected."""
    replica = PostgresReplicaLag("replica-1", url, primary_clock=PrimaryClock(), clock=SystemClock())
    keeping = asyncio.create_task(replica.keep_open())
    await eventually(lambda: answers(replica))
    try:
        yield replica
    finally:
        keeping.cancel()
        await asyncio.wait([keeping])


async def answers(replica: PostgresReplicaLag) -> bool:
    try:
        await replica.lag()
    except DependencyUnavailable:
        return False
    return True


async def has_no_lag(replica: PostgresReplicaLag) -> bool:
    return await answers(replica) and await replica.lag() == 0


async def is_unavailable(replica: PostgresReplicaLag) -> bool:
    return not await answers(replica)


async def write_heartbeat(database: Database) -> None:
    """Write a heartbeat, as the relay does."""
    connection = await asyncpg.connect(database.url, timeout=5)
    await RouteWriter(connection).heartbeat()
    await connection.close()


async def test_primary_has_no_lag(database: Database) -> None:
    async with replica_lag(database.url) as replica:
        assert await replica.lag() == 0


async def test_streaming_replica_without_backlog_has_no_lag(
    database: Database,
) -> None:
    async with replica_lag(database.replica_url) as replica:
        await eventually(lambda: has_no_lag(replica))


async def test_replica_with_paused_replay_lags(stack: Stack, database: Database) -> None:
    standby = await asyncpg.connect(stack.urls.replicas[0], timeout=5)
    async with replica_lag(database.replica_url) as replica:
        await standby.execute("SELECT pg_wal_replay_pause()")
        try:
            await write_heartbeat(database)

            async def is_behind() -> bool:
                return await replica.lag() == math.inf

            await eventually(is_behind)
        finally:
            await standby.execute("SELECT pg_wal_replay_resume()")
        await eventually(lambda: has_no_lag(replica))
    await standby.close()


async def test_replica_without_primary_lags_by_the_heartbeat_age(stack: Stack, database: Database) -> None:
    async with replica_lag(database.replica_url) as replica:
        await write_heartbeat(database)
        await eventually(lambda: has_no_lag(replica))
        await stack.postgres.stop()
        try:

            async def grows() -> bool:
                return 0 < await replica.lag() < 60

            await eventually(grows)
        finally:
            await stack.postgres.start()
        await eventually(lambda: has_no_lag(replica), within=30)


@pytest.mark.parametrize("fault", ["freeze", "stop"])
async def test_lag_is_unavailable_while_the_replica_is_down(stack: Stack, database: Database, fault: str) -> None:
    async with replica_lag(database.replica_url) as replica:
        await getattr(stack.replica, fault)()
        try:
            await eventually(lambda: is_unavailable(replica))
        finally:
            await stack.replica.start()
        await eventually(lambda: has_no_lag(replica), within=30)
