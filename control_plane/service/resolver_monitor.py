"""Keeps up with what the resolver processes tell of themselves."""

import asyncio
from collections.abc import MutableMapping, Sequence
from contextlib import suppress

import structlog

from control_plane.domain.fleet import Fleet, Member, Report
from control_plane.ports.propagation import StatusReports
from shared.runtime.backoff import Backoff
from shared.runtime.clock import Clock
from shared.runtime.metrics import Metrics

RECONNECT_SECONDS = 5.0
"""Longest pause before the reports are asked for again."""

_log = structlog.get_logger(__name__)
_NOTE = "resolvers"


class ResolverMonitor:
    """Listens for ever; what it knows is current while it listens, and unknown otherwise."""

    def __init__(
        self, reports: StatusReports, *, clock: Clock, metrics: Metrics, notes: MutableMapping[str, str]
    ) -> None:
        self._reports = reports
        self._clock = clock
        self._notes = notes
        self._fleet = Fleet()
        self._is_listening = False
        self._news = asyncio.Event()
        self.backoff = Backoff(RECONNECT_SECONDS)
        self._gauge = metrics.gauge("tm_resolver_processes")
        metrics.before_scrape(self._count)

    async def run(self) -> None:
        """Follow the reports until they are interrupted; to be run again, after a pause of `backoff`."""
        try:
            await self._listen()
        finally:
            self._is_listening = False
            self._notes[_NOTE] = "what resolver processes have applied is not known: their reports cannot be read"

    def members(self) -> Sequence[Member] | None:
        """Every process there is. None: not known now."""
        return self._fleet.members(self._clock.monotonic()) if self._is_listening else None

    async def news(self, within: float) -> None:
        """Wait until a process tells something, at most so many seconds."""
        with suppress(TimeoutError):
            async with asyncio.timeout(within):
                await self._news.wait()

    async def _listen(self) -> None:
        async with self._reports.subscribe() as subscription:
            self._fleet.begin(subscription.backlog, self._clock.monotonic())
            self._is_listening = True
            self.backoff.reset()
            _log.info("subscribed to the resolvers' reports")
            self._tell()
            while True:
                self._hear(await subscription.poll())

    def _hear(self, reports: Sequence[Report]) -> None:
        if reports:
            self._fleet.hear(reports, self._clock.monotonic())
            self._tell()

    def _tell(self) -> None:
        """Wake who waits now; who begins to wait later waits for the next news."""
        news, self._news = self._news, asyncio.Event()
        news.set()
        live, gone = self._counts()
        self._notes[_NOTE] = f"{live} resolver processes report, {gone} have gone silent"

    def _counts(self) -> tuple[int, int]:
        gone = [each.is_gone for each in self.members() or ()]
        return gone.count(False), gone.count(True)

    def _count(self) -> None:
        live, gone = self._counts()
        self._gauge.labels("live").set(live)
        self._gauge.labels("gone").set(gone)
