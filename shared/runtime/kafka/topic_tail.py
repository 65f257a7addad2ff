"""Follows all partitions of a topic without a consumer group; nothing is committed."""

import asyncio
from collections.abc import AsyncIterator, Callable, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager, contextmanager
from typing import Any, TypeAlias

from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.errors import KafkaError

from shared.runtime.background import Interrupted
from shared.runtime.clock import Clock
from shared.runtime.kafka.clients import CALL_SECONDS, new_consumer, raise_on_disconnect, start_client, stop_consumer
from shared.runtime.kafka.lag_watchdog import STALLED_AFTER_SECONDS, LagWatchdog

POLL_MS = 250
OPEN_SECONDS = 2 * CALL_SECONDS
"""Default deadline for connecting to Kafka and finding the topic's offsets."""

Records: TypeAlias = Mapping[int, Sequence[Any]]
"""Records (aiokafka is not typed) by partition, in the order of the log; only partitions that have some."""
Offsets: TypeAlias = Mapping[int, int]
"""Offsets by partition."""


@asynccontextmanager
async def open_tail(
    bootstrap: str,
    client_id: str,
    topic: str,
    *,
    clock: Clock,
    interruption: type[Interrupted],
    watchdog: LagWatchdog | None = None,
    check_seconds: float = 2.0,
    within_seconds: float = OPEN_SECONDS,
) -> AsyncIterator["TopicTail"]:
    """A connection to the topic for the length of the block; reading begins with `start_at`.

    Raises `interruption`, as all methods of the tail do, when the topic cannot be followed any further: open it again.
    """
    consumer = new_consumer(bootstrap, client_id)
    try:
        with _raising(interruption):
            async with asyncio.timeout(within_seconds):
                await start_client(consumer)
                partitions = await _partitions(consumer, topic, interruption)
                ends = _by_number(await consumer.end_offsets(partitions))
                beginnings = _by_number(await consumer.beginning_offsets(partitions))
        tail = TopicTail(
            consumer,
            topic,
            beginnings,
            ends,
            clock=clock,
            interruption=interruption,
            watchdog=watchdog,
            check_seconds=check_seconds,
        )
        yield tail
    finally:
        await stop_consumer(consumer)


class TopicTail:
    """The records of a topic as they arrive, over one connection.

    The client hides from its callers that brokers do not answer, and that partitions were added: `check_if_due` finds out.
    """

    def __init__(
        self,
        consumer: AIOKafkaConsumer,
        topic: str,
        beginnings: Offsets,
        ends: Offsets,
        *,
        clock: Clock,
        interruption: type[Interrupted],
        watchdog: LagWatchdog | None,
        check_seconds: float,
    ) -> None:
        """`beginnings` and `ends`: the first offset, and the next one to be written, when the tail was opened."""
        self._consumer = consumer
        self._topic = topic
        self.beginnings = beginnings
        self.ends = ends
        self.positions: dict[int, int] = {}
        """The next offset to read, by partition. Passes gaps that compaction left at the end of the log, too."""
        self._clock = clock
        self._interruption = interruption
        self._watchdog = watchdog
        self._check_seconds = check_seconds
        self._checked_at = clock.monotonic()

    def start_at(self, offsets: Offsets) -> None:
        """Read all partitions, each from its offset."""
        self.positions = dict(offsets)
        self._consumer.assign([self._partition(each) for each in offsets])
        for number, offset in offsets.items():
            self._consumer.seek(self._partition(number), offset)
        if self._watchdog is not None:
            self._watchdog.reset()

    async def poll(self) -> Records:
        """The next records; empty when none arrive within POLL_MS."""
        with _raising(self._interruption):
            fetched = await self._consumer.getmany(timeout_ms=POLL_MS)
            for number in self.positions:
                self.positions[number] = await self._consumer.position(self._partition(number))
        return {partition.partition: records for partition, records in fetched.items() if records}

    async def read_to_end(self, apply: Callable[[Records], object], *, patience_seconds: float) -> None:
        """Apply all records up to the ends found on opening.

        Raises when there is no progress for `patience_seconds`.
        """
        progressed_at = self._clock.monotonic()
        while not self._is_at(self.ends):
            before = dict(self.positions)
            apply(await self.poll())
            now = self._clock.monotonic()
            if self.positions != before:
                progressed_at = now
            elif now - progressed_at > patience_seconds:
                raise self._interruption(
                    f"{self._topic} was read to the offsets {before} of {dict(self.ends)}; no further records arrive"
                )

    async def check_if_due(self, applied: Offsets | None = None) -> Offsets | None:
        """Compare positions with the ends of the log, once in `check_seconds`. Returns the ends; None when not due.

        `applied`: the positions to compare, where records are not applied by polling. Raises when Kafka does not answer,
        when partitions were added, and when nothing arrives for STALLED_AFTER_SECONDS although there are records.
        """
        if self._clock.monotonic() - self._checked_at < self._check_seconds:
            return None
        self._checked_at = self._clock.monotonic()
        positions = self.positions if applied is None else applied
        with _raising(self._interruption):
            async with asyncio.timeout(CALL_SECONDS):
                ends = await self._consumer.end_offsets([self._partition(each) for each in positions])
        stalled = self._watchdog.observe(ends, lambda each: positions[each.partition]) if self._watchdog else 0.0
        if stalled >= STALLED_AFTER_SECONDS:
            raise self._interruption(f"no progress for {stalled:.0f} s although {self._topic} has further records")
        if len(self._consumer.partitions_for_topic(self._topic) or ()) > len(positions):
            raise self._interruption(f"{self._topic} has new partitions")
        return _by_number(ends)

    def _is_at(self, ends: Offsets) -> bool:
        return all(self.positions[number] >= end for number, end in ends.items())

    def _partition(self, number: int) -> TopicPartition:
        return TopicPartition(self._topic, number)


async def _partitions(
    consumer: AIOKafkaConsumer, topic: str, interruption: type[Interrupted]
) -> Sequence[TopicPartition]:
    if topic not in await consumer.topics():
        raise interruption(f"there is no topic {topic}; create it, and the service continues by itself")
    # A request for one partition's offset makes the client fetch the metadata of all the topic's partitions.
    await consumer.beginning_offsets([TopicPartition(topic, 0)])
    return [TopicPartition(topic, number) for number in sorted(consumer.partitions_for_topic(topic))]


def _by_number(offsets: Mapping[TopicPartition, int]) -> Offsets:
    return {partition.partition: offset for partition, offset in offsets.items()}


@contextmanager
def _raising(interruption: type[Interrupted]) -> Iterator[None]:
    try:
        with raise_on_disconnect():
            yield
    except (KafkaError, OSError, TimeoutError) as error:
        raise interruption(f"{type(error).__name__}: {error}") from error
