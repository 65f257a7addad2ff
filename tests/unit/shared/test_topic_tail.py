import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import pytest
from aiokafka import TopicPartition
from aiokafka.errors import KafkaConnectionError

from shared.runtime.background import Interrupted
from shared.runtime.kafka.lag_watchdog import STALLED_AFTER_SECONDS, LagWatchdog
from shared.runtime.kafka.topic_tail import TopicTail
from shared.runtime.metrics import Metrics
from shared.runtime.service import Service
from tests.support.clocks import MovableClock

TOPIC = "topic"


class Lost(Interrupted):
    """The error by which the tail's user recognises interruptions."""


@dataclass(frozen=True)
class Record:
    offset: int


@dataclass
class FakeConsumer:
    """As much of an AIOKafkaConsumer as a tail uses: one batch of records per poll, then none."""

    batches: list[Mapping[int, Sequence[Record]]] = field(default_factory=list)
    ends: dict[int, int] = field(default_factory=lambda: {0: 0, 1: 0})
    error: BaseException | None = None
    positions: dict[int, int] = field(default_factory=dict)
    after_poll: Any = None

    def assign(self, partitions: Sequence[TopicPartition]) -> None:
        assert {each.partition for each in partitions} == set(self.ends)

    def seek(self, partition: TopicPartition, offset: int) -> None:
        self.positions[partition.partition] = offset

    async def getmany(self, *, timeout_ms: int) -> Mapping[TopicPartition, Sequence[Record]]:
        self._fail()
        if self.after_poll is not None:
            self.after_poll()
        batch = self.batches.pop(0) if self.batches else {}
        for number, records in batch.items():
            self.positions[number] = records[-1].offset + 1
        return {TopicPartition(TOPIC, number): records for number, records in batch.items()}

    async def position(self, partition: TopicPartition) -> int:
        return self.positions[partition.partition]

    async def end_offsets(self, partitions: Sequence[TopicPartition]) -> Mapping[TopicPartition, int]:
        self._fail()
        return {each: self.ends[each.partition] for each in partitions}

    def partitions_for_topic(self, topic: str) -> set[int]:
        return set(self.ends)

    def _fail(self) -> None:
        if self.error is not None:
            raise self.error


class Setup:
    """A tail over a fake consumer, both partitions of its topic at offset 0."""

    def __init__(self, *batches: Mapping[int, Sequence[Record]], ends: Mapping[int, int] | None = None) -> None:
        self.clock = MovableClock()
        self.consumer = FakeConsumer(list(batches))
        self.tail = TopicTail(
            self.consumer,
            TOPIC,
            {0: 0, 1: 0},
            ends or {0: 0, 1: 0},
            clock=self.clock,
            interruption=Lost,
            watchdog=LagWatchdog(self.clock, Metrics(Service.DATA_PLANE)),
            check_seconds=2.0,
        )
        self.tail.start_at(self.tail.beginnings)


def records(*offsets: int) -> Sequence[Record]:
    return [Record(each) for each in offsets]


async def test_a_poll_returns_records_by_partition_and_moves_the_positions() -> None:
    setup = Setup({0: records(0, 1)}, {1: records(0)})
    assert await setup.tail.poll() == {0: records(0, 1)}
    assert setup.tail.positions == {0: 2, 1: 0}
    assert await setup.tail.poll() == {1: records(0)}
    assert await setup.tail.poll() == {}
    assert setup.tail.positions == {0: 2, 1: 1}


@pytest.mark.parametrize("error", [KafkaConnectionError("gone"), OSError("reset"), TimeoutError("late")])
async def test_a_lost_connection_is_an_interruption_that_keeps_its_cause(error: Exception) -> None:
    setup = Setup()
    setup.consumer.error = error
    with pytest.raises(Lost) as raised:
        await setup.tail.poll()
    assert raised.value.__cause__ is error


async def test_a_response_that_the_client_cancelled_is_an_interruption() -> None:
    setup = Setup()
    setup.consumer.error = asyncio.CancelledError()
    with pytest.raises(Lost):
        await setup.tail.poll()


async def test_reading_to_the_end_applies_the_records_up_to_the_ends_found_on_opening() -> None:
    setup = Setup({0: records(0)}, {}, {1: records(0)}, {0: records(1)}, ends={0: 1, 1: 1})
    applied: list[Mapping[int, Sequence[Any]]] = []
    await setup.tail.read_to_end(applied.append, patience_seconds=5)
    assert [each for each in applied if each] == [{0: records(0)}, {1: records(0)}]


async def test_reading_to_the_end_passes_offsets_that_compaction_removed() -> None:
    setup = Setup({0: records(0)}, ends={0: 3, 1: 0})

    def skip_removed() -> None:
        if not setup.consumer.batches:
            setup.consumer.positions[0] = 3

    setup.consumer.after_poll = skip_removed
    await setup.tail.read_to_end(lambda _: None, patience_seconds=5)


async def test_reading_to_the_end_is_interrupted_when_records_stop_arriving() -> None:
    setup = Setup({0: records(0)}, ends={0: 3, 1: 0})
    setup.consumer.after_poll = lambda: setup.clock.advance(1)
    with pytest.raises(Lost, match="no further records"):
        await setup.tail.read_to_end(lambda _: None, patience_seconds=5)


async def test_the_ends_are_checked_once_per_interval() -> None:
    setup = Setup()
    setup.consumer.ends = {0: 4, 1: 2}
    assert await setup.tail.check_if_due() is None
    setup.clock.advance(2)
    assert await setup.tail.check_if_due() == {0: 4, 1: 2}
    assert await setup.tail.check_if_due() is None


async def test_a_check_without_a_response_is_an_interruption() -> None:
    setup = Setup()
    setup.consumer.error = KafkaConnectionError("gone")
    setup.clock.advance(2)
    with pytest.raises(Lost):
        await setup.tail.check_if_due()


async def test_lagging_without_progress_is_an_interruption() -> None:
    setup = Setup()
    setup.consumer.ends[0] = 5
    for _ in range(int(STALLED_AFTER_SECONDS / 2)):
        setup.clock.advance(2)
        await setup.tail.check_if_due({0: 1, 1: 0})
    setup.clock.advance(2)
    with pytest.raises(Lost, match="no progress"):
        await setup.tail.check_if_due({0: 1, 1: 0})


async def test_progress_is_that_of_the_applied_offsets() -> None:
    setup = Setup()
    setup.consumer.ends[0] = 1000
    for offset in range(int(STALLED_AFTER_SECONDS)):
        setup.clock.advance(2)
        await setup.tail.check_if_due({0: offset, 1: 0})


async def test_an_added_partition_is_an_interruption() -> None:
    setup = Setup()
    setup.consumer.ends[2] = 0
    setup.clock.advance(2)
    with pytest.raises(Lost, match="new partitions"):
        await setup.tail.check_if_due()
