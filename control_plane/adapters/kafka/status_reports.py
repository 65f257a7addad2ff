"""The resolver processes' status reports from the topic `resolver-status`, all of it in every control plane process."""

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import Any

import structlog

from control_plane.domain.fleet import Report
from control_plane.errors import ReportsInterrupted
from shared.runtime.clock import Clock
from shared.runtime.kafka.topic_tail import Records, TopicTail, open_tail
from shared.runtime.metrics import Metrics
from shared.schemas.events import MalformedEvent, UndecodableEvent
from shared.schemas.resolver_status import decode_status
from shared.schemas.topics import RESOLVER_STATUS

PATIENCE_SECONDS = 12.0
"""Longest time without progress while the reports up to the subscription are read."""

_log = structlog.get_logger(__name__)


class KafkaStatusReports:
    """The StatusReports port. Every subscription reads the whole topic: it holds little more than the newest reports."""

    def __init__(self, bootstrap: str, client_id: str, *, clock: Clock, metrics: Metrics) -> None:
        self._bootstrap = bootstrap
        self._client_id = client_id
        self._clock = clock
        self._counts = metrics.counter("tm_resolver_reports_total")

    @asynccontextmanager
    async def subscribe(self) -> AsyncIterator["KafkaReportSubscription"]:
        tail = open_tail(
            self._bootstrap,
            self._client_id,
            RESOLVER_STATUS.name,
            clock=self._clock,
            interruption=ReportsInterrupted,
        )
        async with tail as opened:
            subscription = KafkaReportSubscription(self, opened)
            await subscription.read_backlog()
            yield subscription

    def decode(self, records: Records) -> Sequence[Report]:
        """The reports in these records; those that cannot be decoded are counted and left out."""
        return [report for each in records.values() for record in each if (report := self._decode(record)) is not None]

    def _decode(self, record: Any) -> Report | None:
        try:
            report = _report(record)
        except UndecodableEvent as error:
            self._counts.labels(error.reason).inc()
            _log.debug(
                "report skipped: it cannot be decoded", offset=record.offset, reason=error.reason, why=str(error)[:300]
            )
            return None
        self._counts.labels("withdrawn" if report.status is None else "accepted").inc()
        return report


class KafkaReportSubscription:
    """The ReportSubscription port: one connection of KafkaStatusReports."""

    def __init__(self, reports: KafkaStatusReports, tail: TopicTail) -> None:
        self._reports = reports
        self._tail = tail
        self.backlog: Sequence[Report] = ()

    async def read_backlog(self) -> None:
        """Read the topic from its beginning to where it ended when the connection was opened."""
        backlog: list[Report] = []
        self._tail.start_at(self._tail.beginnings)
        await self._tail.read_to_end(
            lambda records: backlog.extend(self._reports.decode(records)), patience_seconds=PATIENCE_SECONDS
        )
        self.backlog = backlog

    async def poll(self) -> Sequence[Report]:
        await self._tail.check_if_due()
        return self._reports.decode(await self._tail.poll())


def _report(record: Any) -> Report:
    if record.key is None:
        raise MalformedEvent("the record has no key")
    return Report(record.key.decode(errors="replace"), None if record.value is None else decode_status(record.value))
