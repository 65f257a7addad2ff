"""Reports to the control plane how far this process has applied the events."""

import asyncio
import math
from collections.abc import Iterator
from contextlib import suppress
from datetime import UTC, datetime

import structlog

from data_plane.domain.remote_clock import UNPROVEN
from data_plane.domain.stream_coverage import StreamCoverage
from data_plane.ports import StatusLog
from shared.runtime.clock import Clock
from shared.runtime.resilience import DependencyUnavailable
from shared.runtime.version import VERSION
from shared.schemas.resolver_status import REPORT_SECONDS, PartitionStatus, ResolverStatus

CHANGE_SECONDS = 1.0
"""Mean interval between reports of changes; one report may come early. Later changes go into the next report."""

_log = structlog.get_logger(__name__)


class StatusReporter:
    """Reports after changes, at most once a second on average, and otherwise every five seconds.

    One report may come early, because after a pause the changes often arrive in two batches. A report that cannot be
    written is dropped: the next one replaces it. Nothing waits for a report.
    """

    def __init__(
        self,
        status_log: StatusLog,
        stream_coverage: StreamCoverage,
        *,
        instance: str,
        clock: Clock,
        change_seconds: float = CHANGE_SECONDS,
        idle_seconds: float = REPORT_SECONDS,
    ) -> None:
        """`instance`: the name of this process, unique in the fleet."""
        self._status_log = status_log
        self._stream_coverage = stream_coverage
        self._instance = instance
        self._clock = clock
        self._started_at = clock.now()
        self._change_seconds = change_seconds
        self._idle_seconds = idle_seconds
        self._changed = asyncio.Event()
        self._allowed_at = -math.inf
        self._is_written = True

    def note_change(self) -> None:
        """Changes were applied."""
        self._changed.set()

    async def run(self) -> None:
        """Report until cancelled."""
        await self._report()
        while True:
            await self._wait_until_due()
            await self._report()

    async def withdraw(self) -> None:
        """Remove this process from the fleet's status, before it ends."""
        with suppress(DependencyUnavailable):  # The control plane then removes it when its reports stop.
            await self._status_log.withdraw(self._instance)

    def status(self) -> ResolverStatus:
        """The status to report now."""
        partitions = tuple(self._partitions())
        return ResolverStatus(
            instance=self._instance, version=VERSION, started_at=self._started_at, partitions=partitions
        )

    def _partitions(self) -> Iterator[PartitionStatus]:
        for partition, offset in sorted(self._stream_coverage.offsets.items()):
            heartbeat = self._stream_coverage.heartbeats.get(partition, UNPROVEN)
            as_of = None if heartbeat == UNPROVEN else datetime.fromtimestamp(heartbeat, UTC)
            yield PartitionStatus(partition=partition, next_offset=offset, as_of=as_of)

    async def _wait_until_due(self) -> None:
        """An idle report does not count against the rate, so that a change after a quiet time is reported at once."""
        with suppress(TimeoutError):
            async with asyncio.timeout(self._idle_seconds):
                await self._changed.wait()
                early = self._allowed_at - self._change_seconds
                await asyncio.sleep(max(0.0, early - self._clock.monotonic()))

    async def _report(self) -> None:
        if self._changed.is_set():
            self._allowed_at = max(self._allowed_at, self._clock.monotonic()) + self._change_seconds
            self._changed.clear()
        try:
            await self._status_log.report(self.status())
        except DependencyUnavailable as error:
            self._changed.set()  # Report again as soon as the rate allows it.
            self._log_transition(is_written=False, why=error.why)
        else:
            self._log_transition(is_written=True)

    def _log_transition(self, *, is_written: bool, why: str = "") -> None:
        if is_written is self._is_written:
            return
        self._is_written = is_written
        if is_written:
            _log.info("status reports are written again")
        else:
            _log.warning("status reports cannot be written", why=why)
