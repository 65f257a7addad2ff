"""Opens and closes watch subscriptions."""

from data_plane.domain.close_reason import CloseReason
from data_plane.domain.remote_clock import UNPROVEN, PrimaryTime
from data_plane.domain.stream_coverage import StreamCoverage
from data_plane.domain.tenant_change_log import TenantChangeLog
from data_plane.errors import RevisionGone, TooManyWatches, WatchUnavailable
from data_plane.service.watch.change_log import ChangeLogs
from data_plane.service.watch.encoded_snapshots import EncodedSnapshot
from data_plane.service.watch.subscription import Subscription
from data_plane.service.watch.tenant_snapshot import TenantSnapshots
from shared.runtime.fair_places import FairPlaces
from shared.runtime.metrics import Metrics


class WatchHub:
    """Limits the open subscriptions in total and per tenant, and closes all of them when the process drains."""

    def __init__(
        self,
        snapshots: TenantSnapshots,
        change_logs: ChangeLogs,
        stream_coverage: StreamCoverage,
        *,
        limit: int,
        limit_per_tenant: int,
        metrics: Metrics,
    ) -> None:
        self._snapshots = snapshots
        self._change_logs = change_logs
        self._stream_coverage = stream_coverage
        self._limit_per_tenant = limit_per_tenant
        self._open: set[Subscription] = set()
        self._places = FairPlaces(limit)
        self._is_draining = False
        closed = metrics.counter("tm_watch_closed_total")
        self._closed = {reason: closed.labels(reason.value) for reason in CloseReason}
        gauge = metrics.gauge("tm_watch_clients")
        metrics.before_scrape(lambda: gauge.set(len(self._open)))

    async def begin(self, tenant: str) -> tuple[EncodedSnapshot, Subscription]:
        """All routes of the tenant at one revision, and every change after it.

        Raises NoSuchTenant, TooManyWatchers or WatchUnavailable.
        """
        self._check_limits(tenant)
        snapshot, change_log = await self._snapshots.snapshot(tenant)
        return snapshot, self._subscribe(tenant, snapshot.revision, snapshot.proven_at, change_log)

    async def resume(self, tenant: str, since: int) -> Subscription:
        """Every change after the revision `since`, which the client has.

        Raises RevisionGone if the change log lacks some of them, NoSuchTenant, TooManyWatchers or WatchUnavailable.
        """
        self._check_limits(tenant)
        change_log = self._change_logs.current(tenant)
        if change_log is None or since > change_log.newest:
            # Only a database can confirm that the tenant has this revision.
            change_log = await self._snapshots.confirm(tenant, since)
        if since < change_log.oldest:
            raise RevisionGone(tenant, since, change_log.oldest)
        return self._subscribe(tenant, since, UNPROVEN, change_log)

    def drain(self) -> None:
        """Close every subscription, and open no more."""
        self._is_draining = True
        for each in list(self._open):
            each.end(CloseReason.DRAIN)

    async def close(self) -> None:
        """Drain, and cancel the readings in progress."""
        self.drain()
        await self._snapshots.close()

    def _check_limits(self, tenant: str) -> None:
        if self._is_draining:
            raise WatchUnavailable("This instance is shutting down; try again to reach another one.")
        if self._places.is_full:
            raise WatchUnavailable(f"This instance has {self._places.places} watches, its limit; try another instance.")
        held = self._places.held(tenant)
        if held >= self._limit_per_tenant or not self._places.may_enter(tenant):
            raise TooManyWatches(tenant, held)

    def _subscribe(
        self, tenant: str, revision: int, proven_at: PrimaryTime, change_log: TenantChangeLog
    ) -> Subscription:
        self._check_limits(tenant)  # Others may have subscribed while the database was read.
        subscription = Subscription(
            tenant,
            revision,
            proven_at,
            change_log=change_log,
            change_logs=self._change_logs,
            stream_coverage=self._stream_coverage,
            on_end=self._note_end,
        )
        self._open.add(subscription)
        self._places.enter(tenant)
        return subscription

    def _note_end(self, subscription: Subscription, reason: CloseReason) -> None:
        self._open.discard(subscription)
        self._places.leave(subscription.tenant)
        self._closed[reason].inc()
