"""Stores the changes in Kafka records in the audit trail, and sends unstorable records to the dead letter queue."""

import logging
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from uuid import UUID

import structlog

from audit_consumer.domain.events import AuditEvent, UnstorableChange, audit_events
from audit_consumer.domain.records import DeadLetter, DeadLetterReason, Record, RecordPosition
from audit_consumer.ports import AuditWriter, DeadLetters, Rejection
from shared.runtime.clock import Clock
from shared.runtime.metrics import Metrics
from shared.schemas.events import (
    ChangesWithheld,
    MalformedEvent,
    RouteChanged,
    UnknownEventType,
    UnsupportedSchema,
    decode,
)

MAX_LOGGED_CHANGES = 20
"""Changes of one write up to which each is logged at INFO. A larger write works off a backlog and logs at DEBUG."""
MAX_EVENTS_PER_WRITE = 1_000
"""With the longest URLs these are some megabytes, far below MongoDB's limit for one message."""

_log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class _Failure:
    record: Record
    reason: DeadLetterReason
    detail: str
    changes: int = 1


@dataclass(slots=True)
class _DecodedBatch:
    """The events of a batch with the records that contain them, by event id, and the records without an event."""

    events: list[AuditEvent] = field(default_factory=list)
    records_of: defaultdict[UUID, list[Record]] = field(default_factory=lambda: defaultdict(list))
    failures: list[_Failure] = field(default_factory=list)
    skipped: int = 0


class Ingestion:
    """Stores every change of a batch exactly once, however often the batch is delivered."""

    def __init__(self, writer: AuditWriter, dead_letters: DeadLetters, clock: Clock, metrics: Metrics) -> None:
        self._writer = writer
        self._dead_letters = dead_letters
        self._clock = clock
        self._first_failures: dict[RecordPosition, datetime] = {}
        outcomes = metrics.counter("tm_audit_events_total")
        self._stored = outcomes.labels("stored")
        self._duplicate = outcomes.labels("duplicate")
        self._dead_lettered = outcomes.labels("dead_lettered")
        self._skipped = outcomes.labels("skipped")
        self._letters = metrics.counter("tm_dlq_records_total")
        self._delay = metrics.histogram("tm_audit_delay_seconds")
        self._changes = metrics.histogram("tm_audit_batch_changes")
        self._write_duration = metrics.histogram("tm_audit_write_duration_seconds")

    async def ingest(self, records: Sequence[Record]) -> None:
        """Returns once every record is stored, skipped or in the dead letter queue. Its offset may be committed then.

        Raises DependencyUnavailable when some records were not processed. The caller can ingest all of them again.
        """
        batch = self._decode_all(records)
        rejections: list[Rejection] = []
        for start in range(0, len(batch.events), MAX_EVENTS_PER_WRITE):
            rejections += await self._store(batch.events[start : start + MAX_EVENTS_PER_WRITE])
        for failure in [*batch.failures, *_rejected_records(rejections, batch.records_of)]:
            await self._send_to_dlq(failure)
        self._skipped.inc(batch.skipped)
        self._first_failures.clear()

    def _decode_all(self, records: Sequence[Record]) -> _DecodedBatch:
        batch = _DecodedBatch()
        for record in records:
            try:
                self._decode(record, batch)
            except UnknownEventType as error:
                batch.skipped += 1
                _log.debug("skipped a record of unknown type", position=str(record.position), reason=str(error))
            except UnsupportedSchema as error:
                batch.failures.append(_Failure(record, DeadLetterReason.UNSUPPORTED_SCHEMA, str(error)))
            except MalformedEvent as error:
                batch.failures.append(_Failure(record, DeadLetterReason.MALFORMED, str(error)))
            except UnstorableChange as error:
                batch.failures.append(_Failure(record, DeadLetterReason.UNSTORABLE, str(error)))
        return batch

    def _decode(self, record: Record, batch: _DecodedBatch) -> None:
        event = decode(record.value)
        if isinstance(event, RouteChanged):
            batch.events += audit_events(event, self._clock.now())
            batch.records_of[event.event_id].append(record)
        elif isinstance(event, ChangesWithheld):
            batch.failures.append(_Failure(record, DeadLetterReason.WITHHELD, _describe(event)))

    async def _store(self, events: Sequence[AuditEvent]) -> Sequence[Rejection]:
        started = self._clock.monotonic()
        result = await self._writer.store(events)
        self._write_duration.observe(self._clock.monotonic() - started)
        self._changes.observe(len(events))
        self._stored.inc(len(result.stored))
        self._duplicate.inc(result.duplicates)
        now = self._clock.now()
        for event in result.stored:
            self._delay.observe(max(0.0, (now - event.occurred_at).total_seconds()))
        _log_stored(result.stored)
        return result.rejected

    async def _send_to_dlq(self, failure: _Failure) -> None:
        now = self._clock.now()
        first = self._first_failures.setdefault(failure.record.position, now)
        await self._dead_letters.put(DeadLetter(failure.record, failure.reason, failure.detail, first, now))
        self._letters.labels(failure.reason).inc()
        self._dead_lettered.inc(failure.changes)
        _log.error(
            "sent a record to the dead letter queue; its headers name the cause: fix it, then replay the record",
            position=str(failure.record.position),
            reason=failure.reason,
            detail=failure.detail,
        )


def _describe(event: ChangesWithheld) -> str:
    revision = "a change set" if event.revision is None else f"revision {event.revision}"
    return (
        f"Kafka refused {revision} of tenant {event.tenant}, event {event.event_id}: the trail lacks it until it is retried "
        "with `python -m control_plane quarantine retry`"
    )


def _log_stored(events: Sequence[AuditEvent]) -> None:
    level = logging.INFO if len(events) <= MAX_LOGGED_CHANGES else logging.DEBUG
    for each in events:
        _log.log(
            level,
            "change stored",
            action=str(each.action),
            route=str(each.route),
            revision=each.revision,
            correlation_id=each.correlation_id,
        )


def _rejected_records(
    rejections: Sequence[Rejection], records_of: defaultdict[UUID, list[Record]]
) -> Iterator[_Failure]:
    """One failure for each record with a rejected change, however many of its changes were rejected."""
    by_event: defaultdict[UUID, list[Rejection]] = defaultdict(list)
    for each in rejections:
        by_event[each.event.event_id].append(each)
    for event_id, rejected in by_event.items():
        detail = "; ".join(f"change {each.event.index}: {each.reason}" for each in rejected[:3])
        for record in records_of[event_id]:
            yield _Failure(record, DeadLetterReason.UNSTORABLE, detail, changes=len(rejected))
