"""The change logs of all tenants, from which watch subscriptions read."""

import asyncio
from collections import deque
from collections.abc import Callable, Iterator
from itertools import islice

from data_plane.domain.remote_clock import PrimaryClock, PrimaryTime
from data_plane.domain.stream_coverage import StreamCoverage
from data_plane.domain.tenant_change_log import TenantChangeLog
from data_plane.domain.tenant_reading import TenantReading
from shared.runtime.metrics import Metrics
from shared.schemas.events import RouteChanged

WAKE_BATCH = 32
"""Subscriptions woken in one iteration of the event loop: thousands at once would delay requests."""

EVENT_BYTES = 1000
"""Of a change set without its changes: identifiers, times, and the longest reason."""
CHANGE_BYTES = 500
"""Of a change without the characters of its texts."""

Wake = Callable[[], None]


def bytes_of(event: RouteChanged) -> int:
    """The memory that a change set takes, about: its texts, and the objects around them."""
    texts = sum(
        len(each.service) + len(each.env) + len(each.version) + len(each.url) + len(each.previous_url or "")
        for each in event.changes
    )
    return EVENT_BYTES + CHANGE_BYTES * len(event.changes) + texts


class ChangeLogs:
    """One log for each tenant with events.

    `max_changes`, `max_bytes`: of all logs together; the oldest change sets are dropped.
    """

    def __init__(
        self,
        stream_coverage: StreamCoverage,
        primary_clock: PrimaryClock,
        *,
        max_changes: int,
        max_bytes: int,
        metrics: Metrics,
    ) -> None:
        self._stream_coverage = stream_coverage
        self._primary_clock = primary_clock
        self._max_changes = max_changes
        self._max_bytes = max_bytes
        self._logs: dict[str, TenantChangeLog] = {}
        self._logs_by_age: deque[TenantChangeLog] = deque()
        self._changes = 0
        self._bytes = 0
        gauge = metrics.gauge("tm_change_log_bytes")
        metrics.before_scrape(lambda: gauge.set(self._bytes))
        self._wakes: dict[str, set[Wake]] = {}

    def publish(self, event: RouteChanged) -> None:
        """Append an applied event and wake the tenant's subscriptions. An event after a gap ends the log.

        A log begins only with an event after which every change is received. An event that was written late, or twice,
        does not qualify: later ones may have been written before this process subscribed, even if it follows the last
        revision applied.
        """
        log = self.current(event.tenant)
        if log is None or event.revision > log.newest + 1:
            if not self._is_covered_from(event.tenant, PrimaryTime(event.occurred_at.timestamp())):
                self.end(event.tenant)
                return
            log = self._begin(event.tenant, event.revision - 1)
        if log.add(event):
            self._count(log, event)
            self._wake_tenant(event.tenant)

    def end(self, tenant: str) -> None:
        """Drop the tenant's log, in which a change set is missing, and wake its subscriptions."""
        self._logs.pop(tenant, None)
        self._wake_tenant(tenant)

    def current(self, tenant: str) -> TenantChangeLog | None:
        """The tenant's log; None if it has no events yet, or if some may be missing since the log began."""
        log = self._logs.get(tenant)
        return log if log is not None and log.since == self._stream_coverage.since(tenant) else None

    def following(self, reading: TenantReading) -> TenantChangeLog | None:
        """The log with every change after the reading; None if some of them may be missing here."""
        log = self.current(reading.tenant)
        if log is None and self._is_covered_after(reading):
            log = self._begin(reading.tenant, reading.revision)
        return log if log is not None and log.oldest <= reading.revision else None

    def _is_covered_after(self, reading: TenantReading) -> bool:
        """Whether every change that is not in the reading is received sooner or later."""
        return reading.newest_at >= self._stream_coverage.since(reading.tenant) or self._is_covered_from(
            reading.tenant, reading.proven_at
        )

    def _is_covered_from(self, tenant: str, at: PrimaryTime) -> bool:
        """Whether every change of the tenant that was acknowledged after this time is received sooner or later."""
        since = self._primary_clock.latest(self._stream_coverage.since(tenant))
        return since is not None and at >= since

    def subscribe(self, tenant: str, wake: Wake) -> None:
        """Call `wake` soon after every change of the tenant."""
        self._wakes.setdefault(tenant, set()).add(wake)

    def unsubscribe(self, tenant: str, wake: Wake) -> None:
        """Undo `subscribe`."""
        wakes = self._wakes.get(tenant, set())
        wakes.discard(wake)
        if not wakes:
            self._wakes.pop(tenant, None)

    def _begin(self, tenant: str, oldest: int) -> TenantChangeLog:
        self._logs[tenant] = TenantChangeLog(oldest, self._stream_coverage.since(tenant))
        return self._logs[tenant]

    def _count(self, log: TenantChangeLog, event: RouteChanged) -> None:
        self._logs_by_age.append(log)
        self._changes += len(event.changes)
        self._bytes += bytes_of(event)
        while self._changes > self._max_changes or self._bytes > self._max_bytes:
            dropped = self._logs_by_age.popleft().drop_oldest()
            self._changes -= len(dropped.changes)
            self._bytes -= bytes_of(dropped)

    def _wake_tenant(self, tenant: str) -> None:
        self._wake(iter(list(self._wakes.get(tenant, ()))))

    def _wake(self, waiting: Iterator[Wake]) -> None:
        batch = list(islice(waiting, WAKE_BATCH))
        for wake in batch:
            wake()
        if batch:
            asyncio.get_running_loop().call_soon(self._wake, waiting)
