"""The EventStream port: the fake and Kafka behave alike."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

import pytest

from data_plane.adapters.kafka.event_stream import KafkaEventStream
from data_plane.domain.event_batch import EventBatch
from data_plane.domain.stream_coverage import StreamCoverage
from data_plane.errors import StreamInterrupted
from data_plane.ports import EventStream
from deploy.local.stack import Stack
from shared.runtime.clock import SystemClock
from shared.runtime.metrics import Metrics
from shared.runtime.service import Service
from shared.schemas.events import ChangesWithheld, RouteChanged
from shared.schemas.topics import ROUTE_EVENTS
from tests.fakes.data_plane_events import FakeEventStream
from tests.support.factories import a_tenant, history
from tests.support.kafka import RawRecord, end_offsets, produce, produce_raw


@dataclass(frozen=True)
class Subject:
    """A stream, and a function that adds events to it."""

    stream: EventStream
    send: Callable[[RouteChanged | ChangesWithheld], Awaitable[object]]


@pytest.fixture(params=["fake", "real"])
async def subject(request: pytest.FixtureRequest, stack: Stack) -> Subject:
    """Each kind of stream in turn."""
    if request.param == "fake":
        fake = FakeEventStream()

        async def send(event: RouteChanged | ChangesWithheld) -> None:
            fake.send(event)

        return Subject(fake, send)
    return Subject(kafka_stream(stack), lambda event: produce(stack.urls.kafka, event))


def kafka_stream(stack: Stack, metrics: Metrics | None = None) -> KafkaEventStream:
    """A separate stream of the topic that all tests share."""
    return KafkaEventStream(
        stack.urls.kafka,
        "tests",
        stream_coverage=StreamCoverage(),
        clock=SystemClock(),
        metrics=metrics or Metrics(Service.DATA_PLANE),
    )


async def receive(subject: Subject, *send: RouteChanged) -> list[int]:
    """The revisions of the tenant received while these are sent one by one, each once the previous one is applied."""
    received: list[int] = []
    async with subject.stream.subscribe() as subscription:
        for event in send:
            await subject.send(event)
            while event.revision not in received:
                batch = await subscription.poll()
                received += _revisions(batch, event.tenant)
                subscription.mark_applied(batch)
    return received


async def receive_without_applying(subject: Subject, event: RouteChanged) -> None:
    async with subject.stream.subscribe() as subscription:
        await subject.send(event)
        while event.revision not in _revisions(await subscription.poll(), event.tenant):
            pass


def _revisions(batch: EventBatch, tenant: str) -> list[int]:
    return [each.revision for each in batch.changes if each.tenant == tenant]


async def test_events_sent_during_a_subscription_are_received_in_order(subject: Subject) -> None:
    assert await receive(subject, *history(a_tenant(), 3)) == [1, 2, 3]


async def test_events_sent_before_the_first_subscription_are_not_received(subject: Subject) -> None:
    before, after = history(a_tenant(), 2)
    await subject.send(before)
    assert await receive(subject, after) == [2]


async def test_the_next_subscription_continues_after_the_events_marked_as_applied(subject: Subject) -> None:
    first, second, third, fourth = history(a_tenant(), 4)
    await receive(subject, first, second)
    await subject.send(third)
    assert await receive(subject, fourth) == [3, 4]


async def test_events_not_marked_as_applied_are_received_again(subject: Subject) -> None:
    first, second, third = history(a_tenant(), 3)
    await receive(subject, first)
    await receive_without_applying(subject, second)
    assert await receive(subject, third) == [2, 3]


async def test_marker_of_a_withheld_change_set_is_received_after_the_events_before_it(subject: Subject) -> None:
    before, after = history(a_tenant(), 2)
    marker = ChangesWithheld(tenant=before.tenant, revision=2)
    received: list[object] = []
    async with subject.stream.subscribe() as subscription:
        for event in (before, marker, after):
            await subject.send(event)
            while event not in received:
                batch = await subscription.poll()
                received += [each for each in batch.changes if each.tenant == before.tenant]
                received += [each for each in batch.withheld if each.tenant == before.tenant]
                subscription.mark_applied(batch)
    assert received == [before, marker, after]


async def test_a_subscription_at_the_end_of_the_stream_has_caught_up(subject: Subject) -> None:
    async with subject.stream.subscribe(), asyncio.timeout(1):
        await subject.stream.caught_up()


async def test_the_stream_has_caught_up_once_the_events_before_the_subscription_are_applied(stack: Stack) -> None:
    tenant = a_tenant()
    offsets = await end_offsets(stack.urls.kafka, ROUTE_EVENTS.name)
    await produce(stack.urls.kafka, *history(tenant, 3))
    stream, received = kafka_stream(stack), 0
    stream.resume_from(offsets)
    async with asyncio.timeout(15), stream.subscribe() as subscription:
        catching_up = asyncio.create_task(stream.caught_up())
        while received < 3:
            batch = await subscription.poll()
            received += len(_revisions(batch, tenant))
            if received < 3:
                subscription.mark_applied(batch)
        await asyncio.sleep(0)
        assert not catching_up.done()
        subscription.mark_applied(batch)
        await catching_up


async def test_a_stream_resumed_from_offsets_receives_the_events_after_them(stack: Stack) -> None:
    before, first, second = history(a_tenant(), 3)
    await produce(stack.urls.kafka, before)
    offsets = await end_offsets(stack.urls.kafka, ROUTE_EVENTS.name)
    await produce(stack.urls.kafka, first)
    stream = kafka_stream(stack)
    stream.resume_from(offsets)
    assert await receive(Subject(stream, lambda event: produce(stack.urls.kafka, event)), second) == [2, 3]


async def test_a_stream_resumed_from_missing_offsets_is_interrupted_once_and_begins_at_the_end(stack: Stack) -> None:
    stream = kafka_stream(stack)
    stream.resume_from(dict.fromkeys(range(ROUTE_EVENTS.partitions), 10**12))
    subject = Subject(stream, lambda event: produce(stack.urls.kafka, event))
    with pytest.raises(StreamInterrupted):
        await receive(subject)
    assert await receive(subject, *history(a_tenant(), 1)) == [1]


async def test_records_that_cannot_be_decoded_are_skipped_and_counted(stack: Stack) -> None:
    tenant, metrics = a_tenant(), Metrics(Service.DATA_PLANE)

    async def send_after_rubbish(event: RouteChanged | ChangesWithheld) -> None:
        await produce_raw(stack.urls.kafka, RawRecord(b"rubbish", tenant.encode()), RawRecord(None, tenant.encode()))
        await produce(stack.urls.kafka, event)

    assert await receive(Subject(kafka_stream(stack, metrics), send_after_rubbish), *history(tenant, 1)) == [1]
    assert b'tm_events_total{outcome="invalid",topic="route-events"} 2.0' in metrics.exposition()
