"""What the resolver relies on in the event stream, of the fake and of Kafka."""

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import aclosing
from dataclasses import dataclass

import pytest

from data_plane.adapters.kafka.event_stream import KafkaEventStream
from data_plane.domain.stream_coverage import StreamCoverage
from data_plane.errors import StreamInterrupted
from data_plane.ports import EventStream
from deploy.local.stack import Stack
from shared.runtime.clock import SystemClock
from shared.runtime.metric_catalogue import Service
from shared.runtime.metrics import Metrics
from shared.schemas.events import RouteChanged
from shared.schemas.topics import ROUTE_EVENTS
from tests.fakes.data_plane_events import FakeEventStream
from tests.support.factories import a_tenant, history
from tests.support.kafka import RawRecord, end_offsets, produce, produce_raw


@dataclass(frozen=True)
class Subject:
    """A stream, and how events get into it."""

    stream: EventStream
    send: Callable[[RouteChanged], Awaitable[object]]


@pytest.fixture(params=["fake", "real"])
async def subject(request: pytest.FixtureRequest, stack: Stack) -> Subject:
    """Each kind of stream in turn."""
    if request.param == "fake":
        fake = FakeEventStream()

        async def send(event: RouteChanged) -> None:
            fake.send(event)

        return Subject(fake, send)
    return Subject(kafka_stream(stack), lambda event: produce(stack.urls.kafka, event))


def kafka_stream(stack: Stack, metrics: Metrics | None = None) -> KafkaEventStream:
    """A stream of its own; the topic is everybody's."""
    return KafkaEventStream(
        stack.urls.kafka,
        "tests",
        heard=StreamCoverage(),
        clock=SystemClock(),
        metrics=metrics or Metrics(Service.DATA_PLANE),
    )


async def hear(subject: Subject, *send: RouteChanged) -> list[int]:
    """The revisions of the tenant that are heard while these are sent one by one, each once the one before is heard."""
    heard: list[int] = []
    async with aclosing(subject.stream.batches()) as batches:
        assert not await anext(batches)
        for event in send:
            await subject.send(event)
            while event.revision not in heard:
                heard += [each.revision for each in await anext(batches) if each.tenant == event.tenant]
    return heard


async def test_what_is_sent_after_the_first_batch_is_heard_in_order(subject: Subject) -> None:
    assert await hear(subject, *history(a_tenant(), 3)) == [1, 2, 3]


async def test_what_was_sent_before_the_first_opening_is_not_heard(subject: Subject) -> None:
    before, after = history(a_tenant(), 2)
    await subject.send(before)
    assert await hear(subject, after) == [2]


async def test_opened_again_it_goes_on_after_what_was_applied(subject: Subject) -> None:
    first, second, third, fourth = history(a_tenant(), 4)
    await hear(subject, first, second)
    await subject.send(third)
    heard = await hear(subject, fourth)
    # The second may come again: nobody has asked for what follows it.
    assert heard[-2:] == [3, 4]
    assert 1 not in heard


async def test_opened_at_the_end_it_has_caught_up(subject: Subject) -> None:
    async with aclosing(subject.stream.batches()) as batches:
        await anext(batches)
        async with asyncio.timeout(1):
            await subject.stream.caught_up()


async def test_it_has_caught_up_once_all_is_applied_that_was_there_when_it_was_opened(stack: Stack) -> None:
    tenant = a_tenant()
    offsets = await end_offsets(stack.urls.kafka, ROUTE_EVENTS.name)
    await produce(stack.urls.kafka, *history(tenant, 3))
    stream, heard = kafka_stream(stack), 0
    stream.resume_from(offsets)
    async with asyncio.timeout(15), aclosing(stream.batches()) as batches:
        catching_up = asyncio.create_task(stream.caught_up())
        while heard < 3:
            heard += sum(event.tenant == tenant for event in await anext(batches))
        await asyncio.sleep(0)
        assert not catching_up.done()  # only asking for the next batch tells that this one was applied
        await anext(batches)
        await catching_up


async def test_told_where_to_begin_it_hears_what_was_sent_since(stack: Stack) -> None:
    before, first, second = history(a_tenant(), 3)
    await produce(stack.urls.kafka, before)
    offsets = await end_offsets(stack.urls.kafka, ROUTE_EVENTS.name)
    await produce(stack.urls.kafka, first)
    stream = kafka_stream(stack)
    stream.resume_from(offsets)
    assert await hear(Subject(stream, lambda event: produce(stack.urls.kafka, event)), second) == [2, 3]


async def test_told_to_begin_where_nothing_is_it_is_interrupted_once_and_begins_at_the_end(stack: Stack) -> None:
    stream = kafka_stream(stack)
    stream.resume_from(dict.fromkeys(range(ROUTE_EVENTS.partitions), 10**12))
    subject = Subject(stream, lambda event: produce(stack.urls.kafka, event))
    with pytest.raises(StreamInterrupted):
        await hear(subject)
    assert await hear(subject, *history(a_tenant(), 1)) == [1]


async def test_records_that_are_no_events_are_skipped_and_counted(stack: Stack) -> None:
    tenant, metrics = a_tenant(), Metrics(Service.DATA_PLANE)

    async def send_after_rubbish(event: RouteChanged) -> None:
        await produce_raw(stack.urls.kafka, RawRecord(b"rubbish", tenant.encode()), RawRecord(None, tenant.encode()))
        await produce(stack.urls.kafka, event)

    assert await hear(Subject(kafka_stream(stack, metrics), send_after_rubbish), *history(tenant, 1)) == [1]
    assert b'tm_events_total{outcome="invalid",topic="route-events"} 2.0' in metrics.exposition()
