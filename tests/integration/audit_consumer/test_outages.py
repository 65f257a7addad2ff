"""Outages of MongoDB or Kafka lose no change, queries fail in time, and ingestion resumes without help."""

import asyncio
import time

import httpx2
import pytest

from audit_consumer.adapters.mongo.audit_trail import REACHABLE_SECONDS
from deploy.local.stack import Stack
from shared.schemas.events import RouteChanged
from shared.schemas.topics import ROUTE_EVENTS
from tests.support.audit import audited
from tests.support.audit_servers import Consumer, a_consumer
from tests.support.factories import a_tenant, history
from tests.support.kafka import RawRecord, committed_offsets, end_offsets, produce, produce_raw
from tests.support.waiting import eventually

HUNG = 10.0
"""Seconds. A slower response has missed its deadline."""


async def is_unavailable(client: httpx2.AsyncClient) -> bool:
    async with asyncio.timeout(HUNG):
        answer = await client.get("/api/v1/audit/recent")
    if answer.status_code != 503:
        return False
    assert answer.headers["retry-after"]
    assert answer.json()["type"].endswith(":dependency-unavailable")
    return True


async def answers(client: httpx2.AsyncClient, events: list[RouteChanged]) -> bool:
    answer = await client.get("/api/v1/audit/recent", params={"limit": "1000"})
    return answer.status_code == 200 and answer.json()["count"] == len(
        [each for one in events for each in audited(one)]
    )


async def is_ready(client: httpx2.AsyncClient) -> bool:
    return (await client.get("/health/ready")).status_code == 200


async def is_unready(client: httpx2.AsyncClient) -> bool:
    """As the worker's own check of MongoDB finds: a failing query alone, which may be one caller's, does not."""
    return not await is_ready(client)


async def lag(client: httpx2.AsyncClient) -> float:
    lines = (await client.get("/metrics")).text.splitlines()
    return sum(float(line.rsplit(" ", 1)[1]) for line in lines if line.startswith("tm_consumer_lag_records{"))


async def shows_lag(client: httpx2.AsyncClient, records: int) -> bool:
    return await lag(client) == records


@pytest.mark.parametrize("how", ["stopped", "frozen", "killed"])
async def test_mongodb_outage_holds_offsets_and_loses_no_change(stack: Stack, how: str) -> None:
    kafka, (before, during) = stack.urls.kafka, (history(a_tenant(), 30), history(a_tenant(), 30))
    away = {"stopped": stack.mongo.stop, "frozen": stack.mongo.freeze, "killed": stack.mongo.kill}[how]
    async with a_consumer(stack, audit_batch_records=7) as consumer, consumer.running() as client:
        await produce(kafka, *before)
        await eventually(lambda: answers(client, before))
        held = await eventually(lambda: caught_up(consumer, kafka))
        await away()
        try:
            await produce(kafka, *during)
            await eventually(lambda: is_unavailable(client), within=60)
            await eventually(lambda: shows_lag(client, len(during)))
            assert await committed_offsets(kafka, consumer.group) == held
            await eventually(lambda: is_unready(client))
            assert (await client.get("/health/live")).status_code == 200
        finally:
            await stack.mongo.start()
        await eventually(lambda: answers(client, before + during), within=60)
        await eventually(lambda: caught_up(consumer, kafka))
        await eventually(lambda: is_ready(client))
        assert len(await consumer.documents()) == 60


async def caught_up(consumer: Consumer, kafka: str) -> dict[int, int] | None:
    committed = await committed_offsets(kafka, consumer.group)
    return committed if committed == await end_offsets(kafka, ROUTE_EVENTS.name) else None


async def test_consumer_that_starts_without_mongodb_waits_for_it(stack: Stack) -> None:
    events = history(a_tenant(), 10)
    async with a_consumer(stack) as consumer:
        await stack.mongo.stop()
        try:
            async with consumer.running() as client:
                await produce(stack.urls.kafka, *events)
                assert not await is_ready(client)
                await eventually(lambda: is_unavailable(client))
                await stack.mongo.start()
                await eventually(lambda: answers(client, events), within=60)
                await eventually(lambda: is_ready(client))
        finally:
            await stack.mongo.start()


async def test_query_is_refused_early_while_mongodb_is_down(stack: Stack) -> None:
    async with a_consumer(stack) as consumer, consumer.running() as client:
        await eventually(lambda: is_ready(client))
        await stack.mongo.kill()
        try:
            refused_after = [await seconds_until_refused(client) for _ in range(3)]
        finally:
            await stack.mongo.start()
        assert max(refused_after) < 2 * REACHABLE_SECONDS
        await eventually(lambda: is_ready(client), within=60)


async def seconds_until_refused(client: httpx2.AsyncClient) -> float:
    begun = time.monotonic()
    assert await is_unavailable(client)
    return time.monotonic() - begun


async def test_queries_work_when_the_consumer_starts_without_kafka(stack: Stack) -> None:
    events = history(a_tenant(), 10)
    async with a_consumer(stack) as consumer:
        await stack.kafka.stop()
        try:
            async with consumer.running() as client:
                await eventually(lambda: is_ready(client))
                assert await answers(client, [])
                await stack.kafka.start()
                await produce(stack.urls.kafka, *events)
                await eventually(lambda: answers(client, events), within=60)
        finally:
            await stack.kafka.start()


@pytest.mark.parametrize("how", ["stopped", "frozen", "killed"])
async def test_queries_work_during_a_kafka_outage_and_ingestion_resumes_after_it(stack: Stack, how: str) -> None:
    before, after = history(a_tenant(), 10), history(a_tenant(), 10)
    away = {"stopped": stack.kafka.stop, "frozen": stack.kafka.freeze, "killed": stack.kafka.kill}[how]
    async with a_consumer(stack) as consumer, consumer.running() as client:
        await produce(stack.urls.kafka, *before)
        await eventually(lambda: answers(client, before))
        await away()
        try:
            await eventually(lambda: says_kafka_is_down(client), within=60)
            assert await answers(client, before)
            assert await is_ready(client), "queries do not need Kafka"
        finally:
            await stack.kafka.start()
        await produce(stack.urls.kafka, *after)
        await eventually(lambda: answers(client, before + after), within=60)


async def says_kafka_is_down(client: httpx2.AsyncClient) -> bool:
    state: str = (await client.get("/health/ready")).json()["dependencies"]["kafka"]["state"]
    return state == "down"


async def test_undecodable_records_during_an_outage_lose_no_change(stack: Stack) -> None:
    events = history(a_tenant(), 10)
    async with a_consumer(stack, audit_batch_records=3) as consumer, consumer.running() as client:
        await eventually(lambda: is_ready(client))
        await stack.mongo.stop()
        try:
            await produce_raw(stack.urls.kafka, RawRecord(b"poison", partition=1))
            await produce(stack.urls.kafka, *events)
            await eventually(lambda: is_unavailable(client))
        finally:
            await stack.mongo.start()
        await eventually(lambda: answers(client, events), within=60)
        await eventually(lambda: caught_up(consumer, stack.urls.kafka))
