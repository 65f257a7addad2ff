"""Publishes the unsent records of the outbox. A record that cannot be published delays only the later ones of its key."""

from collections.abc import Mapping, Sequence

import structlog

from control_plane.domain.outbox import Acknowledged, OutboxRecord, RecordKey, Unpublished
from control_plane.errors import NotPublished
from control_plane.ports.publishing import EventLog, OutboxSession
from shared.runtime.metrics import Metrics
from shared.runtime.tracing.messaging import TracedRecord, batch_span, note_positions
from shared.runtime.tracing.spans import mark_failed
from shared.schemas.events import (
    TRACEPARENT_HEADER,
    ChangesWithheld,
    Heartbeat,
    RouteChanged,
    UndecodableEvent,
    decode,
    encode,
)
from shared.schemas.topics import ROUTE_EVENTS

_log = structlog.get_logger(__name__)


class Publisher:
    """Publishes through one event log; a record that Kafka refuses for good goes to quarantine."""

    def __init__(self, events: EventLog, metrics: Metrics) -> None:
        self._events = events
        self._metrics = _PublishMetrics(metrics)

    async def publish_unsent(self, session: OutboxSession, heartbeat: Heartbeat | None) -> None:
        """Publish all unsent events, then the heartbeat that was due before them, which promises that they precede it.

        Partitions that lack events get no heartbeat. Raises NotPublished when Kafka as a whole does not respond.
        """
        behind: dict[RecordKey, Unpublished] = {}
        complete = False
        while not complete:
            unsent = await session.unsent(behind.keys())
            unpublished = await self._publish(session, unsent.records) if unsent.records else ()
            set_aside = [each for each in unpublished if await self._set_aside(session, each)]
            behind.update({each.record.record_key: each for each in unpublished if each not in set_aside})
            complete = unsent.complete and not set_aside  # each record set aside has left a marker to publish
        if heartbeat is not None:
            await self._events.heartbeat(heartbeat, behind.keys())
        self._report(behind)

    def count_failure(self, failure: NotPublished) -> None:
        """Count a failure of Kafka as a whole."""
        self._metrics.count_failure(ROUTE_EVENTS.name, failure.reason)

    async def _publish(self, session: OutboxSession, records: Sequence[OutboxRecord]) -> Sequence[Unpublished]:
        acknowledged: list[Acknowledged] = []
        try:
            return await self._send(records, acknowledged)
        finally:
            if acknowledged:
                delays = await session.mark_sent(acknowledged)
                self._metrics.count_published(acknowledged, delays)

    async def _send(self, records: Sequence[OutboxRecord], acknowledged: list[Acknowledged]) -> Sequence[Unpublished]:
        """Send the records in one span, and append those that Kafka acknowledges to `acknowledged`."""
        events = [each for each in records if each.topic == ROUTE_EVENTS.name]
        traced = (TracedRecord(each.headers.get(TRACEPARENT_HEADER)) for each in events)
        with batch_span("send", ROUTE_EVENTS.name, traced, len(events)) as batch:
            unpublished = await self._events.publish(records, acknowledged.append)
            note_positions(
                batch,
                [(each.partition, each.offset) for each in acknowledged if each.record.topic == ROUTE_EVENTS.name],
            )
            if unpublished:
                mark_failed(batch, unpublished[0].reason)
            return unpublished

    async def _set_aside(self, session: OutboxSession, unpublished: Unpublished) -> bool:
        """Move a refused record to quarantine. Returns whether it is there now.

        Records without a value end access keys: they are never set aside, because the keys would stay valid.
        """
        record = unpublished.record
        if unpublished.reason != "rejected" or record.payload is None:
            return False
        if not await session.quarantine(record, unpublished.why, _marker_for(record)):
            return False
        self._metrics.count_quarantined(record)
        _log.error(
            "record quarantined: Kafka refuses it for good; fix the cause, then retry or drop it with "
            "`python -m control_plane quarantine`",
            id=record.id,
            topic=record.topic,
            key=record.key,
            bytes=len(record.payload),
            why=unpublished.why,
        )
        return True

    def _report(self, behind: Mapping[RecordKey, Unpublished]) -> None:
        attempted = [each for each in behind.values() if each.attempted]
        for each in attempted:
            self._metrics.count_failure(each.record.topic, each.reason)
        if not attempted:
            return
        is_refused = any(each.reason == "rejected" for each in attempted)
        log = _log.error if is_refused else _log.warning
        log(
            "some keys were not published; their events stay in the outbox, and all others are published",
            keys=len(behind),
            first_key=attempted[0].record.key,
            reason=attempted[0].reason,
            error=attempted[0].why,
        )


def _marker_for(record: OutboxRecord) -> bytes | None:
    """The event that takes the record's place on its topic; None for a topic whose readers need none."""
    if record.topic != ROUTE_EVENTS.name:
        return None
    try:
        event = decode(record.payload)
    except UndecodableEvent:
        event = None
    if isinstance(event, RouteChanged):
        return encode(ChangesWithheld(tenant=record.key, event_id=event.event_id, revision=event.revision))
    return encode(ChangesWithheld(tenant=record.key))


class _PublishMetrics:
    """The `tm_outbox_…` metrics of publishing."""

    def __init__(self, metrics: Metrics) -> None:
        self._published = metrics.counter("tm_outbox_published_total")
        self._failures = metrics.counter("tm_outbox_publish_failures_total")
        self._quarantined = metrics.counter("tm_outbox_quarantined_total")
        self._delay = metrics.histogram("tm_outbox_publish_delay_seconds")

    def count_published(self, acknowledged: Sequence[Acknowledged], delays: Sequence[tuple[str, float]]) -> None:
        """`delays`: each record's topic, and the seconds from its commit to its acknowledgement."""
        for each in acknowledged:
            self._published.labels(each.record.topic).inc()
        for topic, delay in delays:
            self._delay.labels(topic).observe(delay)

    def count_failure(self, topic: str, reason: str) -> None:
        self._failures.labels(topic, reason).inc()

    def count_quarantined(self, record: OutboxRecord) -> None:
        self._quarantined.labels(record.topic).inc()
