"""Who watches which tenant."""

from collections import Counter

from data_plane.domain.close_reason import CloseReason
from data_plane.domain.remote_clock import UNPROVEN, PrimaryTime
from data_plane.domain.stream_coverage import StreamCoverage
from data_plane.domain.tenant_change_log import TenantChangeLog
from data_plane.domain.tenant_reading import TenantReading
from data_plane.errors import RevisionGone, TooManyWatchers, WatchUnavailable
from data_plane.service.watch.change_log import ChangeLogs
from data_plane.service.watch.subscription import Subscription
from data_plane.service.watch.tenant_snapshot import TenantSnapshots
from shared.runtime.metrics import Metrics


class WatchHub:
    """Opens watches, at most so many at a time and of a tenant, and ends them all when the process drains."""

    def __init__(
        self,
        snapshots: TenantSnapshots,
        feeds: ChangeLogs,
        heard: StreamCoverage,
        *,
        at_most: int,
        at_most_of_tenant: int,
        metrics: Metrics,
    ) -> None:
        self._snapshots = snapshots
        self._feeds = feeds
        self._heard = heard
        self._at_most = at_most
        self._at_most_of_tenant = at_most_of_tenant
        self._open: set[Subscription] = set()
        self._of_tenant: Counter[str] = Counter()
        self._is_draining = False
        closed = metrics.counter("tm_watch_closed_total")
        self._closed = {ending: closed.labels(ending.value) for ending in CloseReason}
        gauge = metrics.gauge("tm_watch_clients")
        metrics.before_scrape(lambda: gauge.set(len(self._open)))

    async def begin(self, tenant: str) -> tuple[TenantReading, Subscription]:
        """All routes of the tenant at one revision, and every change after it.

        Raises NoSuchTenant, TooManyWatchers or WatchUnavailable.
        """
        self._check_places(tenant)
        reading, feed = await self._snapshots.read(tenant)
        return reading, self._watching(tenant, reading.revision, reading.proven_at, feed)

    async def resume(self, tenant: str, since: int) -> Subscription:
        """Every change after the revision `since`, which the client has.

        Raises RevisionGone when some of them are not kept here, NoSuchTenant, TooManyWatchers or WatchUnavailable.
        """
        self._check_places(tenant)
        feed = self._feeds.current(tenant)
        if feed is None or since > feed.newest:
            # Whether that revision is the last one, only a database can tell.
            _, feed = await self._snapshots.read(tenant, at_least=since)
        if since < feed.oldest:
            raise RevisionGone(tenant, since, feed.oldest)
        return self._watching(tenant, since, UNPROVEN, feed)

    def drain(self) -> None:
        """End every watch, and begin none any more."""
        self._is_draining = True
        for each in list(self._open):
            each.end(CloseReason.DRAIN)

    async def close(self) -> None:
        """End whatever is open or being read."""
        self.drain()
        await self._snapshots.close()

    def _check_places(self, tenant: str) -> None:
        if self._is_draining:
            raise WatchUnavailable("This instance is about to end; another one takes over.")
        if len(self._open) >= self._at_most:
            raise WatchUnavailable(f"This instance has {self._at_most} watchers, and takes no more; try another one.")
        if self._of_tenant[tenant] >= self._at_most_of_tenant:
            raise TooManyWatchers(tenant, self._at_most_of_tenant)

    def _watching(self, tenant: str, revision: int, proven_at: PrimaryTime, feed: TenantChangeLog) -> Subscription:
        self._check_places(tenant)  # others may have come while the database was read
        watching = Subscription(
            tenant, revision, proven_at, feed=feed, feeds=self._feeds, heard=self._heard, on_end=self._note_end
        )
        self._open.add(watching)
        self._of_tenant[tenant] += 1
        return watching

    def _note_end(self, watching: Subscription, ending: CloseReason) -> None:
        self._open.discard(watching)
        self._of_tenant[watching.tenant] -= 1
        if not self._of_tenant[watching.tenant]:
            del self._of_tenant[watching.tenant]
        self._closed[ending].inc()
