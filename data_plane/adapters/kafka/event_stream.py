"""Every event of `route-events`, in every instance: all partitions, no group, nothing committed."""

import asyncio
from collections.abc import AsyncGenerator, Callable, Mapping, Sequence
from typing import Any

import structlog
from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.errors import KafkaError, OffsetOutOfRangeError

from data_plane.domain.stream_coverage import StreamCoverage
from data_plane.errors import StreamInterrupted
from shared.runtime.clock import Clock
from shared.runtime.kafka.clients import (
    STALLED_AFTER_SECONDS,
    ProgressWatchdog,
    new_consumer,
    raise_on_disconnect,
    start_client,
)
from shared.runtime.metrics import Metrics
from shared.schemas.events import Heartbeat, RouteChanged, RouteEvent, UndecodableEvent, UnknownEventType, decode
from shared.schemas.topics import ROUTE_EVENTS

POLL_MS = 500
CHECK_SECONDS = 2.0
CALL_SECONDS = 6.0
"""For a call to Kafka; the client's own request timeout lies below it."""

_log = structlog.get_logger(__name__)


class KafkaEventStream:
    """Reads on from where it was, or from where it is told to; else begins at the end of the topic, because what is
    older is in the database.
    """

    def __init__(
        self,
        bootstrap: str,
        client_id: str,
        *,
        heard: StreamCoverage,
        clock: Clock,
        metrics: Metrics,
        on_changes: Callable[[], None] = lambda: None,
    ) -> None:
        """`heard` is told what was applied, and which heartbeats stood there; then `on_changes` that there were changes."""
        self._bootstrap = bootstrap
        self._client_id = client_id
        self._heard = heard
        self._clock = clock
        self._on_changes = on_changes
        self._watchdog = ProgressWatchdog(clock, metrics)
        self._invalid = metrics.counter("tm_events_total").labels(ROUTE_EVENTS.name, "invalid")
        self._positions: dict[TopicPartition, int] = {}
        self._ends: Mapping[TopicPartition, int] = {}
        self._caught_up = asyncio.Event()

    async def caught_up(self) -> None:
        await self._caught_up.wait()

    def resume_from(self, offsets: Mapping[int, int]) -> None:
        self._positions = {TopicPartition(ROUTE_EVENTS.name, each): offset for each, offset in offsets.items()}

    async def batches(self) -> AsyncGenerator[Sequence[RouteChanged], None]:
        consumer = new_consumer(self._bootstrap, self._client_id)
        try:
            with raise_on_disconnect():
                await self._attach(consumer)
            yield ()
            checked = self._clock.monotonic()
            while True:
                with raise_on_disconnect():
                    fetched = await consumer.getmany(timeout_ms=POLL_MS)
                decoded = {each: self._events(records) for each, records in fetched.items() if records}
                changes = [event for events in decoded.values() for event in events if isinstance(event, RouteChanged)]
                yield changes
                for each, events in decoded.items():
                    self._note_applied(each, fetched[each][-1].offset + 1, events)
                if changes:
                    self._on_changes()
                if self._clock.monotonic() - checked >= CHECK_SECONDS:
                    with raise_on_disconnect():
                        await self._check(consumer)
                    checked = self._clock.monotonic()
        except OffsetOutOfRangeError as error:
            self._positions.clear()
            raise StreamInterrupted(f"events are gone from Kafka before they were heard: {error}") from error
        except (KafkaError, OSError, TimeoutError) as error:
            raise StreamInterrupted(f"{type(error).__name__}: {error}") from error
        finally:
            await _stop(consumer)

    async def _attach(self, consumer: AIOKafkaConsumer) -> None:
        """Take all partitions, each from where it was left, or from its end."""
        async with asyncio.timeout(2 * CALL_SECONDS):
            await start_client(consumer)
            partitions = await _partitions(consumer)
            self._caught_up.clear()
            self._ends = await consumer.end_offsets(partitions)
            positions, resumed = await self._starts(consumer, partitions)
            reached = self._clock.monotonic()
        offsets = {each.partition: offset for each, offset in positions.items()}
        self._heard.listen(offsets, at=reached, resumed=resumed)
        consumer.assign(partitions)
        for partition, offset in positions.items():
            consumer.seek(partition, offset)
        self._positions = positions
        self._note_caught_up()
        self._watchdog.forget()

    async def _starts(
        self, consumer: AIOKafkaConsumer, partitions: list[TopicPartition]
    ) -> tuple[dict[TopicPartition, int], bool]:
        """Where to begin, and whether that is where the stream was left."""
        ends = self._ends
        firsts: Mapping[TopicPartition, int] = await consumer.beginning_offsets(partitions)
        if not self._positions:
            return dict(ends), False
        if any(offset > ends.get(each, 0) or offset < firsts.get(each, 0) for each, offset in self._positions.items()):
            self._positions.clear()
            raise StreamInterrupted(
                "the topic does not have the offsets any more that were to come: events went unheard"
            )
        # A partition that was added meanwhile is read whole.
        return {each: self._positions.get(each, firsts[each]) for each in partitions}, True

    async def _check(self, consumer: AIOKafkaConsumer) -> None:
        """Raises when Kafka does not answer, partitions were added, or nothing has come for long though there is."""
        async with asyncio.timeout(CALL_SECONDS):
            ends = await consumer.end_offsets(list(self._positions))
        stalled = self._watchdog.observe(ends, lambda partition: self._positions[partition])
        if stalled >= STALLED_AFTER_SECONDS:
            raise StreamInterrupted(f"no progress for {stalled:.0f} s although there are events to read")
        if len(consumer.partitions_for_topic(ROUTE_EVENTS.name) or ()) > len(self._positions):
            raise StreamInterrupted("the topic has new partitions")

    def _note_applied(self, partition: TopicPartition, offset: int, events: Sequence[RouteEvent]) -> None:
        self._positions[partition] = offset
        beats = [event for event in events if isinstance(event, Heartbeat)]
        self._heard.applied(partition.partition, offset, beats)
        if not self._caught_up.is_set():
            self._note_caught_up()

    def _note_caught_up(self) -> None:
        if all(self._positions[each] >= end for each, end in self._ends.items()):
            self._caught_up.set()

    def _events(self, records: Sequence[Any]) -> list[RouteEvent]:
        return [event for record in records if (event := self._decode(record)) is not None]

    def _decode(self, record: Any) -> RouteEvent | None:
        try:
            return decode(record.value)
        except UndecodableEvent as error:
            self._invalid.inc()
            self._note_unreadable(record, error)
            _log.warning(
                "skipped a record",
                partition=record.partition,
                offset=record.offset,
                reason=error.reason,
                why=str(error)[:300],
            )
            return None

    def _note_unreadable(self, record: Any, error: UndecodableEvent) -> None:
        """It may have been a change: whatever its tenant has is not vouched for by later heartbeats."""
        if record.key is not None and not isinstance(error, UnknownEventType):
            self._heard.missed(record.key.decode(errors="replace"), self._clock.monotonic())


async def _partitions(consumer: AIOKafkaConsumer) -> list[TopicPartition]:
    if ROUTE_EVENTS.name not in await consumer.topics():
        raise StreamInterrupted(f"there is no topic {ROUTE_EVENTS.name}; create it, and this goes on by itself")
    # Asking for one partition's offset is what makes the client learn of all the topic's partitions.
    await consumer.beginning_offsets([TopicPartition(ROUTE_EVENTS.name, 0)])
    return [
        TopicPartition(ROUTE_EVENTS.name, each) for each in sorted(consumer.partitions_for_topic(ROUTE_EVENTS.name))
    ]


async def _stop(consumer: AIOKafkaConsumer) -> None:
    try:
        # Closing, it waits for fetches that a broken connection has cancelled: that ended the listening for good.
        with raise_on_disconnect():
            async with asyncio.timeout(CALL_SECONDS):
                await consumer.stop()
    except (KafkaError, OSError, TimeoutError) as error:
        _log.warning("the Kafka consumer did not close in order", why=f"{type(error).__name__}: {error}")
