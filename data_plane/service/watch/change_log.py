"""The changes applied last, by tenant, for those who watch."""

import asyncio
from collections import deque
from collections.abc import Callable, Iterator
from itertools import islice

from data_plane.domain.remote_clock import PrimaryClock, PrimaryTime
from data_plane.domain.stream_coverage import StreamCoverage
from data_plane.domain.tenant_change_log import TenantChangeLog
from data_plane.domain.tenant_reading import TenantReading
from shared.schemas.events import RouteChanged

WOKEN_AT_ONCE = 32
"""Watchers that get their turn before others do: thousands at once would keep requests waiting for all of them."""

Wake = Callable[[], None]


class ChangeLogs:
    """One feed for each tenant that was heard of. `capacity`: single changes kept over all of them; the oldest go."""

    def __init__(self, heard: StreamCoverage, primary_clock: PrimaryClock, capacity: int) -> None:
        self._heard = heard
        self._primary_clock = primary_clock
        self._capacity = capacity
        self._feeds: dict[str, TenantChangeLog] = {}
        self._in_order: deque[TenantChangeLog] = deque()
        self._kept = 0
        self._wakes: dict[str, set[Wake]] = {}

    def publish(self, event: RouteChanged) -> None:
        """The event is applied here. One that leaves a gap ends the feed.

        A feed begins only with an event of which it is sure that what came after it is heard: one that was written late,
        or once more, may have been overtaken by others before this process listened, even if it follows the last applied.
        """
        feed = self.current(event.tenant)
        if feed is None or event.revision > feed.newest + 1:
            if not self._is_heard_after(event.tenant, PrimaryTime(event.occurred_at.timestamp())):
                self._feeds.pop(event.tenant, None)
                self._wake_watchers(event.tenant)
                return
            feed = self._begin(event.tenant, event.revision - 1)
        if feed.add(event):
            self._keep(feed, event)
            self._wake_watchers(event.tenant)

    def current(self, tenant: str) -> TenantChangeLog | None:
        """The tenant's feed, unless nothing was heard of it yet, or some of its events may have gone unheard since."""
        feed = self._feeds.get(tenant)
        return feed if feed is not None and feed.since == self._heard.since(tenant) else None

    def following(self, reading: TenantReading) -> TenantChangeLog | None:
        """The feed that has every change after the reading. None when some of them may be missing here."""
        feed = self.current(reading.tenant)
        if feed is None and self._is_followed(reading):
            feed = self._begin(reading.tenant, reading.revision)
        return feed if feed is not None and feed.oldest <= reading.revision else None

    def _is_followed(self, reading: TenantReading) -> bool:
        """Whether whatever is not in the reading is heard sooner or later."""
        return reading.newest_at >= self._heard.since(reading.tenant) or self._is_heard_after(
            reading.tenant, reading.proven_at
        )

    def _is_heard_after(self, tenant: str, moment: PrimaryTime) -> bool:
        """Whether every change of the tenant that was acknowledged after this moment of the primary is heard."""
        since = self._primary_clock.latest(self._heard.since(tenant))
        return since is not None and moment >= since

    def call_on_change(self, tenant: str, wake: Wake) -> None:
        """Call this whenever a change of the tenant is published, soon after."""
        self._wakes.setdefault(tenant, set()).add(wake)

    def call_no_more(self, tenant: str, wake: Wake) -> None:
        """End what `call_on_change` began."""
        wakes = self._wakes.get(tenant, set())
        wakes.discard(wake)
        if not wakes:
            self._wakes.pop(tenant, None)

    def _begin(self, tenant: str, oldest: int) -> TenantChangeLog:
        self._feeds[tenant] = TenantChangeLog(oldest, self._heard.since(tenant))
        return self._feeds[tenant]

    def _keep(self, feed: TenantChangeLog, event: RouteChanged) -> None:
        self._in_order.append(feed)
        self._kept += len(event.changes)
        while self._kept > self._capacity:
            self._kept -= len(self._in_order.popleft().forget_first().changes)

    def _wake_watchers(self, tenant: str) -> None:
        self._wake(iter(list(self._wakes.get(tenant, ()))))

    def _wake(self, waiting: Iterator[Wake]) -> None:
        some = list(islice(waiting, WOKEN_AT_ONCE))
        for wake in some:
            wake()
        if some:
            asyncio.get_running_loop().call_soon(self._wake, waiting)
