"""Turns records into events that stand in the audit trail once, and moves aside what can never stand there."""

import logging
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from uuid import UUID

import structlog

from audit_consumer.domain.events import AuditEvent, UnstorableChange, events_of
from audit_consumer.domain.records import DeadLetter, Reason, Record, RecordPosition
from audit_consumer.ports import AuditWriter, DeadLetters, Refusal
from shared.runtime.clock import Clock
from shared.runtime.metrics import Metrics
from shared.schemas.events import MalformedEvent, RouteChanged, UnknownEventType, UnsupportedSchema, decode

FEW = 20
"""Changes in a write up to which each is logged for everyone; more than that is a backlog being worked off."""
WRITE_AT_ONCE = 1_000
"""Events in one write: some megabytes at the longest URLs, far below what MongoDB takes in one message."""

_log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class _Failure:
    record: Record
    reason: Reason
    detail: str
    changes: int = 1


@dataclass(slots=True)
class _Reading:
    """What stands in a batch: events to store with the records that carry them, and records that are no events."""

    events: list[AuditEvent] = field(default_factory=list)
    carriers: defaultdict[UUID, list[Record]] = field(default_factory=lambda: defaultdict(list))
    failures: list[_Failure] = field(default_factory=list)
    skipped: int = 0


class Ingestion:
    """Stores every change of a batch exactly once, however often the batch comes."""

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
        """Returns once every record is stored, skipped or in the dead letter queue: its offset may move then.

        Raises DependencyUnavailable when part of that could not be done. Ingesting all of them again is right.
        """
        reading = self._read(records)
        refusals: list[Refusal] = []
        for start in range(0, len(reading.events), WRITE_AT_ONCE):
            refusals += await self._store(reading.events[start : start + WRITE_AT_ONCE])
        for failure in [*reading.failures, *_unstorable(refusals, reading.carriers)]:
            await self._send_to_dlq(failure)
        self._skipped.inc(reading.skipped)
        self._first_failures.clear()

    def _read(self, records: Sequence[Record]) -> _Reading:
        reading = _Reading()
        for record in records:
            try:
                self._take(record, reading)
            except UnknownEventType as unknown:
                reading.skipped += 1
                _log.debug("skipped a record of a later release", place=str(record.place), why=str(unknown))
            except UnsupportedSchema as error:
                reading.failures.append(_Failure(record, Reason.UNSUPPORTED_SCHEMA, str(error)))
            except MalformedEvent as error:
                reading.failures.append(_Failure(record, Reason.MALFORMED, str(error)))
            except UnstorableChange as error:
                reading.failures.append(_Failure(record, Reason.UNSTORABLE, str(error)))
        return reading

    def _take(self, record: Record, reading: _Reading) -> None:
        event = decode(record.value)
        if isinstance(event, RouteChanged):
            reading.events += events_of(event, self._clock.now())
            reading.carriers[event.event_id].append(record)

    async def _store(self, events: Sequence[AuditEvent]) -> Sequence[Refusal]:
        started = self._clock.monotonic()
        done = await self._writer.store(events)
        self._write_duration.observe(self._clock.monotonic() - started)
        self._changes.observe(len(events))
        self._stored.inc(len(done.stored))
        self._duplicate.inc(done.duplicates)
        now = self._clock.now()
        for event in done.stored:
            self._delay.observe(max(0.0, (now - event.occurred_at).total_seconds()))
        _log_stored(done.stored)
        return done.refused

    async def _send_to_dlq(self, failure: _Failure) -> None:
        now = self._clock.now()
        first = self._first_failures.setdefault(failure.record.place, now)
        await self._dead_letters.put(DeadLetter(failure.record, failure.reason, failure.detail, first, now))
        self._letters.labels(failure.reason).inc()
        self._dead_lettered.inc(failure.changes)
        _log.error(
            "moved a record to the dead letter queue: read its headers, and replay it once its cause is gone",
            place=str(failure.record.place),
            reason=failure.reason,
            detail=failure.detail,
        )


def _log_stored(events: Sequence[AuditEvent]) -> None:
    level = logging.INFO if len(events) <= FEW else logging.DEBUG
    for each in events:
        _log.log(
            level,
            "change stored",
            action=str(each.action),
            route=str(each.route),
            revision=each.revision,
            correlation_id=each.correlation_id,
        )


def _unstorable(refusals: Sequence[Refusal], carriers: defaultdict[UUID, list[Record]]) -> Iterator[_Failure]:
    """One failure for every record that carried a refused change, however many of its changes were refused."""
    refused: defaultdict[UUID, list[Refusal]] = defaultdict(list)
    for each in refusals:
        refused[each.event.event_id].append(each)
    for event_id, its in refused.items():
        detail = "; ".join(f"change {each.event.index}: {each.why}" for each in its[:3])
        for record in carriers[event_id]:
            yield _Failure(record, Reason.UNSTORABLE, detail, changes=len(its))
