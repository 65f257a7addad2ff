"""Reads and writes of the control plane have connections of their own."""

import asyncio

import asyncpg

from deploy.local.stack import Stack
from tests.support.control_plane import control_plane
from tests.support.postgres import Database
from tests.support.waiting import eventually

READERS = 40
_WAITING_FOR_THE_TABLE = "SELECT count(*) FROM pg_locks WHERE NOT granted AND relation = 'endpoints'::regclass"


async def test_blocked_reads_of_one_caller_neither_delay_writes_nor_open_a_breaker(
    stack: Stack, database: Database
) -> None:
    side = await asyncpg.connect(database.url)
    settings = {"postgres_pool_size": 4, "request_deadline_seconds": 20}
    try:
        async with control_plane(database.url, stack.urls.kafka, **settings) as client:
            assert (await client.put("/tenants/team-a")).status_code in (200, 201)
            await side.execute("BEGIN; LOCK TABLE endpoints IN ACCESS EXCLUSIVE MODE")

            async def are_waiting() -> bool:
                return bool(await side.fetchval(_WAITING_FOR_THE_TABLE) == 2)

            async with asyncio.TaskGroup() as tasks:
                readers = [tasks.create_task(client.get("/tenants/team-a/routes")) for _ in range(READERS)]
                await eventually(are_waiting)
                for number in range(10):
                    assert (await client.put(f"/tenants/team-{number}")).status_code == 201
                assert not any(each.done() for each in readers)
                await side.execute("ROLLBACK")
            assert {each.result().status_code for each in readers} == {200}
            metrics = (await client.get("http://test/metrics")).text
            assert 'tm_breaker_state{dependency="postgres"} 0.0' in metrics
            assert 'tm_breaker_state{dependency="postgres_reads"} 0.0' in metrics
    finally:
        await side.close()
