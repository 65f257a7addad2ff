"""Telling the platform how far this process has come with the events."""

import asyncio
import math
from collections.abc import Iterator
from contextlib import suppress
from datetime import UTC, datetime

import structlog

from data_plane.domain.stream_coverage import StreamCoverage
from data_plane.ports import StatusLog
from shared.runtime.clock import Clock
from shared.runtime.resilience import DependencyUnavailable
from shared.runtime.version import VERSION
from shared.schemas.resolver_status import REPORT_SECONDS, PartitionStatus, ResolverStatus

CHANGE_SECONDS = 1.0
"""A report of changes in so many, and one in advance; what changes in between goes into the next."""

_log = structlog.get_logger(__name__)


class StatusReporter:
    """Reports when changes were applied, once a second in the long run, and otherwise every five seconds.

    One report may come early: who goes on after a pause often applies what it has missed in two steps.

    A report that nobody takes is dropped: the next one says more. Nothing waits for a report.
    """

    def __init__(
        self,
        reports: StatusLog,
        heard: StreamCoverage,
        *,
        instance: str,
        clock: Clock,
        change_seconds: float = CHANGE_SECONDS,
        idle_seconds: float = REPORT_SECONDS,
    ) -> None:
        """`instance`: this process's name, which no other one has."""
        self._reports = reports
        self._heard = heard
        self._instance = instance
        self._clock = clock
        self._started_at = clock.now()
        self._change_seconds = change_seconds
        self._idle_seconds = idle_seconds
        self._changed = asyncio.Event()
        self._earned_at = -math.inf
        self._taken = True

    def note_change(self) -> None:
        """Changes were applied."""
        self._changed.set()

    async def run(self) -> None:
        """Report until cancelled."""
        await self._report()
        while True:
            await self._until_due()
            await self._report()

    async def withdraw(self) -> None:
        """Say that this process is about to end."""
        with suppress(DependencyUnavailable):  # it is missed a little later, then
            await self._reports.withdraw(self._instance)

    def status(self) -> ResolverStatus:
        """What there is to tell now."""
        partitions = tuple(self._partitions())
        return ResolverStatus(
            instance=self._instance, version=VERSION, started_at=self._started_at, partitions=partitions
        )

    def _partitions(self) -> Iterator[PartitionStatus]:
        for partition, offset in sorted(self._heard.offsets.items()):
            heartbeat = self._heard.heartbeats.get(partition, -math.inf)
            as_of = None if heartbeat == -math.inf else datetime.fromtimestamp(heartbeat, UTC)
            yield PartitionStatus(partition=partition, next_offset=offset, as_of=as_of)

    async def _until_due(self) -> None:
        """An idle report does not hold up the report of a change, so that a change in a quiet time is told at once."""
        with suppress(TimeoutError):
            async with asyncio.timeout(self._idle_seconds):
                await self._changed.wait()
                early = self._earned_at - self._change_seconds
                await asyncio.sleep(max(0.0, early - self._clock.monotonic()))

    async def _report(self) -> None:
        if self._changed.is_set():
            self._earned_at = max(self._earned_at, self._clock.monotonic()) + self._change_seconds
            self._changed.clear()
        try:
            await self._reports.report(self.status())
        except DependencyUnavailable as error:
            self._changed.set()  # tell it as soon as somebody listens again
            self._note(taken=False, why=error.why)
        else:
            self._note(taken=True)

    def _note(self, *, taken: bool, why: str = "") -> None:
        if taken is not self._taken:
            self._taken = taken
            _log.info("status reports are taken again") if taken else _log.warning("nobody takes reports", why=why)
