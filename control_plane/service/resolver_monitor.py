"""Follows the status reports of the resolver processes."""

import asyncio
from collections.abc import MutableMapping, Sequence
from contextlib import suppress

import structlog

from control_plane.domain.fleet import Fleet, Member
from control_plane.ports.propagation import StatusReports
from shared.runtime.backoff import Backoff
from shared.runtime.clock import Clock
from shared.runtime.metrics import Metrics

RECONNECT_SECONDS = 5.0
"""Longest pause before the monitor reads the reports again after an interruption."""

_log = structlog.get_logger(__name__)
_NOTE = "resolvers"


class ResolverMonitor:
    """Knows the resolver processes while it follows their reports; between two runs they are unknown."""

    def __init__(
        self, reports: StatusReports, *, clock: Clock, metrics: Metrics, notes: MutableMapping[str, str]
    ) -> None:
        self._reports = reports
        self._clock = clock
        self._notes = notes
        self._fleet = Fleet()
        self._is_following = False
        self._next_report = asyncio.Event()
        self.backoff = Backoff(RECONNECT_SECONDS)
        self._gauge = metrics.gauge("tm_resolver_processes")
        metrics.before_scrape(self._set_gauge)

    async def run(self) -> None:
        """Follow the reports until they are interrupted; the caller runs it again after a pause of `backoff`."""
        try:
            await self._follow()
        finally:
            self._is_following = False
            self._notes[_NOTE] = "applied offsets of resolver processes are unknown: their reports cannot be read"

    def members(self) -> Sequence[Member] | None:
        """All known processes; None while the reports cannot be read."""
        return self._fleet.members(self._clock.monotonic()) if self._is_following else None

    async def wait_for_report(self, timeout_seconds: float) -> None:
        """Wait until the next report arrives, or until the timeout."""
        with suppress(TimeoutError):
            async with asyncio.timeout(timeout_seconds):
                await self._next_report.wait()

    async def _follow(self) -> None:
        async with self._reports.subscribe() as subscription:
            self._fleet.restart(subscription.backlog, self._clock.monotonic())
            self._is_following = True
            self.backoff.reset()
            _log.info("subscribed to the resolvers' status reports")
            self._wake_waiters()
            while True:
                reports = await subscription.poll()
                if reports:
                    self._fleet.update(reports, self._clock.monotonic())
                    self._wake_waiters()

    def _wake_waiters(self) -> None:
        """Wake the current waiters; later ones wait on a new event, for the next report."""
        arrived, self._next_report = self._next_report, asyncio.Event()
        arrived.set()
        live, gone = self._counts()
        self._notes[_NOTE] = f"{live} resolver processes report, {gone} have gone silent"

    def _counts(self) -> tuple[int, int]:
        gone = [each.is_gone for each in self.members() or ()]
        return gone.count(False), gone.count(True)

    def _set_gauge(self) -> None:
        live, gone = self._counts()
        self._gauge.labels("live").set(live)
        self._gauge.labels("gone").set(gone)
