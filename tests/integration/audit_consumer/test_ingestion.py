"""Ingestion from Kafka to MongoDB stores one document per change, however often records arrive."""

import random
from datetime import datetime, timedelta, timezone

import httpx2

from deploy.local.stack import Stack
from shared.schemas.events import MAX_CHANGES, Heartbeat, RouteChanged, encode
from shared.schemas.topics import ROUTE_EVENTS, ROUTE_EVENTS_DLQ
from tests.support.audit import EPOCH, audited
from tests.support.audit_servers import Consumer, a_consumer
from tests.support.factories import a_change, a_change_set, a_tenant, history
from tests.support.kafka import (
    RawRecord,
    committed_offsets,
    end_offsets,
    produce,
    produce_heartbeat,
    produce_raw,
    read_all,
)
from tests.support.waiting import eventually

BEFORE_YEAR_1 = datetime(1, 1, 1, tzinfo=timezone(timedelta(hours=10)))
"""A time of an event that no time in UTC can hold."""


def ids(events: list[RouteChanged]) -> set[str]:
    return {each.id for event in events for each in audited(event)}


async def is_done(consumer: Consumer, stack: Stack) -> bool:
    """Whether the group has committed every record of the topic."""
    committed = await committed_offsets(stack.urls.kafka, consumer.group)
    return committed == await end_offsets(stack.urls.kafka, ROUTE_EVENTS.name)


async def test_replayed_duplicated_and_shuffled_events_are_stored_once_per_change(stack: Stack) -> None:
    events = [each for _ in range(5) for each in history(a_tenant(), 20)]
    deliveries = events + random.choices(events, k=100)
    random.shuffle(deliveries)
    async with a_consumer(stack, audit_batch_records=17) as consumer, consumer.running() as client:
        await produce(stack.urls.kafka, *deliveries)
        await eventually(lambda: is_done(consumer, stack))
        assert {each["_id"] for each in await consumer.documents()} == ids(events)
        answer = (await client.get("/api/v1/audit/recent", params={"limit": "1000"})).json()
        assert answer["count"] == len(events)


async def test_history_of_a_tenant_is_in_commit_order(stack: Stack) -> None:
    tenant = a_tenant()
    events = history(tenant, 30)
    async with a_consumer(stack) as consumer, consumer.running() as client:
        await produce(stack.urls.kafka, *random.sample(events, k=30))
        await eventually(lambda: is_done(consumer, stack))
        route = {"tenant": tenant, "service": "payments", "env": "prod", "version": "v1"}

        async def answered() -> httpx2.Response | None:  # not before there is the index that the query names
            answer = await client.get("/api/v1/audit/route", params=route)
            return answer if answer.status_code == 200 else None

        answer = (await eventually(answered)).json()
        assert [each["revision"] for each in answer["events"]] == list(range(30, 0, -1))


async def test_largest_change_set_is_stored_completely(stack: Stack) -> None:
    long = "https://example.com/" + "x" * 2_000
    changes = [
        a_change(service=f"service-{each}", url=f"{long}{each}", previous_url=long) for each in range(MAX_CHANGES)
    ]
    event = a_change_set(*changes)
    async with a_consumer(stack) as consumer, consumer.running():
        await produce(stack.urls.kafka, event)
        await eventually(lambda: is_done(consumer, stack))
        assert len(await consumer.documents()) == MAX_CHANGES


async def test_undecodable_record_goes_to_the_dead_letter_queue_and_others_are_stored(stack: Stack) -> None:
    kafka, good = stack.urls.kafka, a_change_set()
    poison = RawRecord(b"no json", good.tenant.encode(), (("traceparent", b"00-1"),), partition=5)
    later = RawRecord(b'{"schema": 2, "event_type": "route_changed"}', partition=5)
    unstorable = RawRecord(encode(a_change_set(occurred_at=BEFORE_YEAR_1)), partition=5)
    start = await end_offsets(kafka, ROUTE_EVENTS_DLQ.name)
    async with a_consumer(stack) as consumer, consumer.running() as client:
        (landed, *_) = await produce_raw(kafka, poison, later, unstorable, RawRecord(encode(good), partition=5))
        await eventually(lambda: is_done(consumer, stack))
        assert {each["_id"] for each in await consumer.documents()} == ids([good])
        letters = await read_all(kafka, ROUTE_EVENTS_DLQ.name, start)
        assert [each.value for each in letters] == [each.value for each in (poison, later, unstorable)]
        headers = dict(letters[0].headers)
        assert letters[0].key == poison.key
        assert headers["traceparent"] == b"00-1"
        assert headers["dlq.source_offset"] == str(landed.offset).encode()
        assert (headers["dlq.source_topic"], headers["dlq.source_partition"]) == (b"route-events", b"5")
        assert [dict(each.headers)["dlq.reason"] for each in letters] == [
            b"malformed", b"unsupported_schema", b"unstorable",
        ]  # fmt: skip
        metrics = (await client.get("/metrics")).text
        assert 'tm_dlq_records_total{reason="malformed"} 1.0' in metrics
        assert 'tm_audit_events_total{outcome="dead_lettered"} 3.0' in metrics


async def test_document_that_mongodb_rejects_goes_to_the_dead_letter_queue(stack: Stack) -> None:
    refused, good = a_change_set(a_change(service="refused"), a_change(service="taken")), a_change_set()
    start = await end_offsets(stack.urls.kafka, ROUTE_EVENTS_DLQ.name)
    async with a_consumer(stack) as consumer:
        await consumer.refuse_service("refused")
        async with consumer.running():
            await produce(stack.urls.kafka, refused, good)
            await eventually(lambda: is_done(consumer, stack))
        assert {each["_id"] for each in await consumer.documents()} == ids([good]) | {f"{refused.event_id}:1"}
    (letter,) = await read_all(stack.urls.kafka, ROUTE_EVENTS_DLQ.name, start)
    assert letter.value == encode(refused)
    assert dict(letter.headers)["dlq.reason"] == b"unstorable"


async def test_heartbeats_only_advance_offsets(stack: Stack) -> None:
    async with a_consumer(stack) as consumer, consumer.running():
        await produce_heartbeat(stack.urls.kafka, Heartbeat(as_of=EPOCH))
        await eventually(lambda: is_done(consumer, stack))
        assert await consumer.documents() == []


async def test_restart_during_ingestion_loses_and_repeats_no_change(stack: Stack) -> None:
    events = [each for _ in range(20) for each in history(a_tenant(), 50)]
    async with a_consumer(stack, audit_batch_records=10) as consumer:
        await produce(stack.urls.kafka, *events)
        while not await is_done(consumer, stack):
            async with consumer.running():
                await some_more(consumer, most=len(events))
            # Closed in an orderly way, no batch is stored without its offsets.
            stored, committed = await consumer.documents(), await committed_offsets(stack.urls.kafka, consumer.group)
            assert len(stored) == sum(committed.values()) - sum(consumer.begun_at.values())
        assert {each["_id"] for each in await consumer.documents()} == ids(events)


async def some_more(consumer: Consumer, most: int) -> None:
    """Wait until the trail has a hundred more documents."""
    wanted = min(len(await consumer.documents()) + 100, most)

    async def has_them() -> bool:
        return len(await consumer.documents()) >= wanted

    await eventually(has_them)


async def test_members_share_partitions_and_take_over_those_of_a_dead_member(stack: Stack) -> None:
    events = [each for _ in range(16) for each in history(a_tenant(), 20)]
    async with a_consumer(stack, audit_batch_records=5) as consumer, consumer.running():
        async with consumer.running():
            await produce(stack.urls.kafka, *events[:160])
            await eventually(lambda: is_done(consumer, stack))
        await produce(stack.urls.kafka, *events[160:])
        await eventually(lambda: is_done(consumer, stack))
        assert {each["_id"] for each in await consumer.documents()} == ids(events)
