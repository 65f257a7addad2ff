"""The events of `route-events` from Kafka, all partitions in every process, without a consumer group."""

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from typing import Any

import structlog
from aiokafka.errors import OffsetOutOfRangeError

from data_plane.domain.event_batch import EventBatch
from data_plane.domain.stream_coverage import StreamCoverage
from data_plane.errors import StreamInterrupted
from shared.runtime.clock import Clock, LocalTime
from shared.runtime.kafka.lag_watchdog import LagWatchdog
from shared.runtime.kafka.topic_tail import TopicTail, open_tail
from shared.runtime.kafka.traced_records import traced_records
from shared.runtime.metrics import Metrics
from shared.schemas.events import (
    ChangesWithheld,
    Heartbeat,
    RouteChanged,
    RouteEvent,
    UndecodableEvent,
    UnknownEventType,
    decode,
)
from shared.schemas.topics import ROUTE_EVENTS

_log = structlog.get_logger(__name__)


class KafkaEventStream:
    """The EventStream port. Its first subscription begins at the end of the topic, because the database has what is older;
    each further one continues after the last batch that was marked as applied.
    """

    def __init__(
        self,
        bootstrap: str,
        client_id: str,
        *,
        stream_coverage: StreamCoverage,
        clock: Clock,
        metrics: Metrics,
        on_changes: Callable[[], None] = lambda: None,
    ) -> None:
        """`stream_coverage` is kept up to date with what was applied; `on_changes` is called after changes were applied."""
        self._bootstrap = bootstrap
        self._client_id = client_id
        self._coverage = stream_coverage
        self._clock = clock
        self._on_changes = on_changes
        self._watchdog = LagWatchdog(clock, metrics)
        self._invalid = metrics.counter("tm_events_total").labels(ROUTE_EVENTS.name, "invalid")
        self._positions: dict[int, int] = {}
        self._ends: Mapping[int, int] = {}
        self._caught_up = asyncio.Event()

    async def caught_up(self) -> None:
        await self._caught_up.wait()

    def resume_from(self, offsets: Mapping[int, int]) -> None:
        self._positions = dict(offsets)

    @asynccontextmanager
    async def subscribe(self) -> AsyncIterator["KafkaEventSubscription"]:
        tail = open_tail(
            self._bootstrap,
            self._client_id,
            ROUTE_EVENTS.name,
            clock=self._clock,
            interruption=StreamInterrupted,
            watchdog=self._watchdog,
        )
        async with tail as opened:
            # Positions were taken before this moment: coverage begins no earlier than it.
            self._start(opened, opened_at=self._clock.monotonic())
            yield KafkaEventSubscription(self, opened)

    @property
    def positions(self) -> Mapping[int, int]:
        """By partition, the offset after the last event applied."""
        return self._positions

    def forget_positions(self) -> None:
        """Begin the next subscription at the end of the topic."""
        self._positions = {}

    def mark_applied(self, batch: EventBatch) -> None:
        """Move the positions past the batch."""
        for partition, offset in batch.next_offsets.items():
            self._positions[partition] = offset
            self._coverage.mark_applied(partition, offset, batch.heartbeats.get(partition, ()))
        self._note_caught_up()
        if batch.changes or batch.withheld:
            self._on_changes()

    def decode(self, records: Sequence[Any]) -> list[RouteEvent]:
        """The events in these records; those that cannot be decoded are counted, logged and left out."""
        return [event for record in records if (event := self._decode(record)) is not None]

    def _start(self, tail: TopicTail, *, opened_at: LocalTime) -> None:
        self._caught_up.clear()
        self._ends = tail.ends
        offsets, is_resumed = self._starting_offsets(tail)
        self._coverage.begin(offsets, at=opened_at, resumed=is_resumed)
        tail.start_at(offsets)
        self._positions = offsets
        self._note_caught_up()

    def _starting_offsets(self, tail: TopicTail) -> tuple[dict[int, int], bool]:
        """The offsets to begin at, and whether these continue the previous subscription without a gap."""
        if not self._positions:
            return dict(tail.ends), False
        is_gone = [
            offset > tail.ends.get(number, 0) or offset < tail.beginnings.get(number, 0)
            for number, offset in self._positions.items()
        ]
        if any(is_gone):
            self.forget_positions()
            raise StreamInterrupted("the topic no longer has the offsets to resume from: events were missed")
        # A partition that was added in between is read from its beginning.
        return {number: self._positions.get(number, first) for number, first in tail.beginnings.items()}, True

    def _note_caught_up(self) -> None:
        if not self._caught_up.is_set() and all(self._positions[each] >= end for each, end in self._ends.items()):
            self._caught_up.set()

    def _decode(self, record: Any) -> RouteEvent | None:
        try:
            return decode(record.value)
        except UndecodableEvent as error:
            self._invalid.inc()
            self._note_undecodable(record, error)
            _log.warning(
                "record skipped: it cannot be decoded",
                partition=record.partition,
                offset=record.offset,
                reason=error.reason,
                why=str(error)[:300],
            )
            return None

    def _note_undecodable(self, record: Any, error: UndecodableEvent) -> None:
        """The record may have been a change: later heartbeats do not prove that its tenant's entries are up to date."""
        if record.key is not None and not isinstance(error, UnknownEventType):
            self._coverage.mark_gap(record.key.decode(errors="replace"), self._clock.monotonic())


class KafkaEventSubscription:
    """The EventSubscription port: one connection of a KafkaEventStream."""

    def __init__(self, stream: KafkaEventStream, tail: TopicTail) -> None:
        self._stream = stream
        self._tail = tail

    async def poll(self) -> EventBatch:
        await self._tail.check_if_due(self._stream.positions)
        try:
            records = await self._tail.poll()
        except StreamInterrupted as interrupted:
            if isinstance(interrupted.__cause__, OffsetOutOfRangeError):
                self._stream.forget_positions()  # Kafka deleted events before they were read
            raise
        events = {number: self._stream.decode(each) for number, each in records.items()}
        return EventBatch(
            [event for each in events.values() for event in each if isinstance(event, RouteChanged)],
            {number: each[-1].offset + 1 for number, each in records.items()},
            {number: [event for event in each if isinstance(event, Heartbeat)] for number, each in events.items()},
            [event for each in events.values() for event in each if isinstance(event, ChangesWithheld)],
            traced_records(record for each in records.values() for record in each),
        )

    def mark_applied(self, batch: EventBatch) -> None:
        self._stream.mark_applied(batch)
