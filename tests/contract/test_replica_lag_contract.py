"""What a replica shows of how far it is behind."""

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
async def shown_by(url: str) -> AsyncIterator[PostgresReplicaLag]:
    """The lag of the server there, once it is connected."""
    shown = PostgresReplicaLag("replica-1", url, primary_clock=PrimaryClock(), clock=SystemClock())
    keeping = asyncio.create_task(shown.keep_open())
    await eventually(lambda: answers(shown))
    try:
        yield shown
    finally:
        keeping.cancel()
        await asyncio.wait([keeping])


async def answers(shown: PostgresReplicaLag) -> bool:
    try:
        await shown.lag()
    except DependencyUnavailable:
        return False
    return True


async def has_no_lag(shown: PostgresReplicaLag) -> bool:
    return await answers(shown) and await shown.lag() == 0


async def is_silent(shown: PostgresReplicaLag) -> bool:
    return not await answers(shown)


async def beat(database: Database) -> None:
    """Write a heartbeat, as the relay does."""
    connection = await asyncpg.connect(database.url, timeout=5)
    await RouteWriter(connection).heartbeat()
    await connection.close()


async def test_the_primary_is_never_behind_itself(database: Database) -> None:
    async with shown_by(database.url) as shown:
        assert await shown.lag() == 0


async def test_one_that_streams_and_has_all_is_not_behind_however_long_ago_the_last_heartbeat(
    database: Database,
) -> None:
    async with shown_by(database.replica_url) as shown:
        await eventually(lambda: has_no_lag(shown))


async def test_one_that_does_not_replay_is_behind_by_the_last_heartbeat_it_has(
    stack: Stack, database: Database
) -> None:
    standby = await asyncpg.connect(stack.urls.replicas[0], timeout=5)
    async with shown_by(database.replica_url) as shown:
        await standby.execute("SELECT pg_wal_replay_pause()")
        try:
            await beat(database)

            async def is_behind() -> bool:
                return await shown.lag() == math.inf

            await eventually(is_behind)
        finally:
            await standby.execute("SELECT pg_wal_replay_resume()")
        await eventually(lambda: has_no_lag(shown))
    await standby.close()


async def test_one_whose_primary_is_gone_is_behind_although_it_has_replayed_all_it_received(
    stack: Stack, database: Database
) -> None:
    async with shown_by(database.replica_url) as shown:
        await beat(database)
        await eventually(lambda: has_no_lag(shown))
        await stack.postgres.stop()
        try:

            async def grows() -> bool:
                return 0 < await shown.lag() < 60

            await eventually(grows)
        finally:
            await stack.postgres.start()
        await eventually(lambda: has_no_lag(shown), within=30)


@pytest.mark.parametrize("fault", ["freeze", "stop"])
async def test_one_that_is_gone_does_not_tell_and_does_again_when_it_is_back(
    stack: Stack, database: Database, fault: str
) -> None:
    async with shown_by(database.replica_url) as shown:
        await getattr(stack.replica, fault)()
        try:
            await eventually(lambda: is_silent(shown))
        finally:
            await stack.replica.start()
        await eventually(lambda: has_no_lag(shown), within=30)
