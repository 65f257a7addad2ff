"""The relay on real servers that fail."""

import asyncio
from collections.abc import Sequence
from datetime import datetime

import asyncpg
import httpx2
import pytest

from deploy.local.stack import Stack
from shared.schemas.events import Heartbeat, RouteChanged, decode
from shared.schemas.topics import ROUTE_EVENTS
from tests.support.control_plane import all_published, control_plane, leads, published_events
from tests.support.factories import a_tenant
from tests.support.kafka import end_offsets, read_all
from tests.support.postgres import Database
from tests.support.waiting import eventually

_END_RELAYS = """
SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity
WHERE application_name = 'outbox_relay' AND datname = current_database()
"""
_OFFSETS = "SELECT kafka_partition, kafka_offset, payload FROM outbox ORDER BY id"


async def _query(database: Database, statement: str) -> list[asyncpg.Record]:
    connection = await asyncpg.connect(database.url)
    try:
        rows: list[asyncpg.Record] = await connection.fetch(statement)
    finally:
        await connection.close()
    return rows


async def _write(client: httpx2.AsyncClient, tenant: str, first: int, last: int) -> None:
    """Changes that take the tenant's revisions `first` to `last`."""
    for revision in range(first, last + 1):
        answer = await client.put(f"/tenants/{tenant}/routes/a/b/c", json={"url": f"https://{revision}.example/"})
        assert answer.json()["revision"] == revision, answer.text


async def _first_heard(stack: Stack, tenant: str) -> list[int]:
    """The tenant's revisions in offset order, without the repetitions that at-least-once allows."""
    first_heard: list[int] = []
    for event in await published_events(stack.urls.kafka, tenant):
        if event.revision not in first_heard:
            first_heard.append(event.revision)
    return first_heard


async def _one_leads(clients: Sequence[httpx2.AsyncClient]) -> bool:
    return [await leads(each) for each in clients].count(True) == 1


async def test_writes_continue_and_no_event_is_lost_while_the_leaders_connection_is_killed_repeatedly(
    stack: Stack, database: Database
) -> None:
    tenant = a_tenant()
    async with (
        control_plane(database.url, stack.urls.kafka) as first,
        control_plane(database.url, stack.urls.kafka) as second,
    ):
        await first.put(f"/tenants/{tenant}")
        for round_ in range(6):
            await eventually(lambda: _one_leads([first, second]))
            async with asyncio.TaskGroup() as tasks:
                tasks.create_task(_write(first, tenant, round_ * 20 + 1, round_ * 20 + 20))
                tasks.create_task(_query(database, _END_RELAYS))
        await eventually(lambda: all_published(database.url))
    assert await _first_heard(stack, tenant) == list(range(1, 121))


async def test_another_process_leads_when_the_leader_stops(stack: Stack, database: Database) -> None:
    tenant = a_tenant()
    async with control_plane(database.url, stack.urls.kafka) as second:
        await eventually(lambda: leads(second))
        async with control_plane(database.url, stack.urls.kafka) as third:
            assert not await leads(third)
            await third.put(f"/tenants/{tenant}")
            await _write(third, tenant, 1, 5)
            await eventually(lambda: all_published(database.url))
            await _query(database, _END_RELAYS)
            await eventually(lambda: _one_leads([second, third]))
            await _write(second, tenant, 6, 10)
            # While both run: a leader whose connection was cut may still be counted when the next one begins.
            await eventually(lambda: all_published(database.url))
    assert await _first_heard(stack, tenant) == list(range(1, 11))


@pytest.mark.parametrize("way", ["frozen", "killed"])
async def test_writes_succeed_without_kafka_and_are_published_after_it_returns(
    stack: Stack, database: Database, way: str
) -> None:
    tenant = a_tenant()
    async with control_plane(database.url, stack.urls.kafka) as client:
        await client.put(f"/tenants/{tenant}")
        await _write(client, tenant, 1, 5)
        await eventually(lambda: all_published(database.url))
        await (stack.kafka.freeze() if way == "frozen" else stack.kafka.kill())
        try:
            await _write(client, tenant, 6, 30)
            before = await _heartbeat_row(database)
            await eventually(lambda: _beats_after(database, before))
            assert not await all_published(database.url)
            assert (await client.get("http://test/health/ready")).status_code == 200
        finally:
            await stack.kafka.start()
        await eventually(lambda: all_published(database.url), within=30)
    assert await _first_heard(stack, tenant) == list(range(1, 31))


async def test_offset_of_every_event_is_stored(stack: Stack, database: Database) -> None:
    tenant = a_tenant()
    async with control_plane(database.url, stack.urls.kafka) as client:
        await client.put(f"/tenants/{tenant}")
        await _write(client, tenant, 1, 10)
        await eventually(lambda: all_published(database.url))
    stored = {(each.partition, each.offset): each.value for each in await read_all(stack.urls.kafka, ROUTE_EVENTS.name)}
    rows = await _query(database, _OFFSETS)
    assert len(rows) == 10
    for row in rows:
        assert stored[row["kafka_partition"], row["kafka_offset"]] == row["payload"]


async def test_heartbeat_follows_every_change_acknowledged_before_its_time(stack: Stack, database: Database) -> None:
    tenants = [a_tenant() for _ in range(8)]
    start = await end_offsets(stack.urls.kafka, ROUTE_EVENTS.name)
    answered: dict[tuple[str, int], datetime] = {}

    async def write(client: httpx2.AsyncClient, tenant: str) -> None:
        await client.put(f"/tenants/{tenant}")
        for revision in range(1, 31):
            await _write(client, tenant, revision, revision)
            answered[tenant, revision] = await _now(database)

    async with control_plane(database.url, stack.urls.kafka, heartbeat_seconds=0.02) as client:
        async with asyncio.TaskGroup() as tasks:
            for tenant in tenants:
                tasks.create_task(write(client, tenant))
        await eventually(lambda: all_published(database.url))

    promised: dict[int, datetime] = {}
    for record in await read_all(stack.urls.kafka, ROUTE_EVENTS.name, start):
        event = decode(record.value)
        if isinstance(event, Heartbeat):
            promised[record.partition] = event.as_of
        elif isinstance(event, RouteChanged) and record.partition in promised:
            assert answered[event.tenant, event.revision] >= promised[record.partition]
    assert set(promised) == set(range(ROUTE_EVENTS.partitions))


async def _now(database: Database) -> datetime:
    now = (await _query(database, "SELECT clock_timestamp() AS now"))[0]["now"]
    assert isinstance(now, datetime)
    return now


async def _heartbeat_row(database: Database) -> datetime | None:
    rows = await _query(database, "SELECT as_of FROM relay_heartbeat")
    return rows[0]["as_of"] if rows else None


async def _beats_after(database: Database, before: datetime | None) -> bool:
    return await _heartbeat_row(database) != before
