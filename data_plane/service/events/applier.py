"""Events into the caches: the newer value is stored everywhere, whether or not anyone has asked for it."""

import logging
from collections.abc import Sequence

import structlog

from data_plane.domain.entry import Entry, State, TtlPolicy, newest
from data_plane.domain.remote_clock import PrimaryClock, PrimaryTime
from data_plane.domain.stream_coverage import StreamCoverage
from data_plane.domain.watermarks import RevisionOrder, Watermarks
from data_plane.service.cache.freshness import Freshness
from data_plane.service.cache.l1 import L1Cache
from data_plane.service.cache.l2 import L2Cache
from data_plane.service.watch.change_log import ChangeLogs
from shared.runtime.clock import NEVER, Clock
from shared.runtime.metrics import Metrics
from shared.schemas.events import RouteChange, RouteChanged
from shared.schemas.identity import RouteKey

FEW = 20
"""Events in a batch up to which each is logged for everyone; more than that is a backlog being worked off."""

_log = structlog.get_logger(__name__)
_OUTCOMES = {
    RevisionOrder.FIRST: "applied",
    RevisionOrder.NEXT: "applied",
    RevisionOrder.GAP: "applied",
    RevisionOrder.DUPLICATE: "duplicate",
    RevisionOrder.OLDER: "older",
}


class EventApplier:
    """Applies change sets: first to this process, then to Redis, and only then do they count as applied.

    Each changed key is compared and set by itself, even where the tenant is further already: the relay may send twice,
    and out of order. `primary_clock` shows POSIX seconds.
    """

    def __init__(
        self,
        *,
        local: L1Cache,
        shared: L2Cache,
        freshness: Freshness,
        heard: StreamCoverage,
        watermarks: Watermarks,
        feeds: ChangeLogs,
        primary_clock: PrimaryClock,
        lives: TtlPolicy,
        clock: Clock,
        metrics: Metrics,
    ) -> None:
        self._local = local
        self._shared = shared
        self._freshness = freshness
        self._heard = heard
        self._primary_clock = primary_clock
        self._lives = lives
        self._clock = clock
        self._watermarks = watermarks
        self._feeds = feeds
        events = metrics.counter("tm_events_total")
        self._events = {outcome: events.labels("route-events", outcome) for outcome in set(_OUTCOMES.values())}
        self._gaps = metrics.counter("tm_revision_gaps_total")
        self._propagation = metrics.histogram("tm_propagation_seconds")

    async def apply(self, events: Sequence[RouteChanged]) -> None:
        """Make these changes known. Never fails: what Redis does not take is written as soon as it does."""
        changed: dict[RouteKey, Entry] = {}
        for event in events:
            for key, change in event.keyed_changes():
                offered = self._entry(event, key, change)
                known = self._local.store(offered) or offered
                changed[key] = newest(changed.get(key, known), known)
        await self._shared.push(list(changed.values()))
        level = logging.INFO if len(events) <= FEW else logging.DEBUG
        for event in events:
            self._count(event, level)
            self._feeds.publish(event)

    def lost_track(self) -> None:
        """Events of any tenant may have gone unheard."""
        self._freshness.mark_all_suspect(self._local.tenants())

    def _entry(self, event: RouteChanged, key: RouteKey, change: RouteChange) -> Entry:
        """Right as of `occurred_at`: the tenant was locked from then to the commit.

        Without the primary's time nobody knows how long ago that was. The entry then has no life: the next request
        reads the route again, and nothing older can be answered any more.
        """
        now = self._clock.monotonic()
        state = State.ACTIVE if change.is_active else State.INACTIVE
        url = change.url if change.is_active else None
        occurred_at = PrimaryTime(event.occurred_at.timestamp())
        read_at = self._primary_clock.local_time_of(occurred_at, at=now)
        return self._lives.entry(
            key,
            state,
            url,
            event.revision,
            read_at=NEVER if read_at is None else min(read_at, now),
            now=now,
            proven_at=occurred_at,
        )

    def _count(self, event: RouteChanged, level: int) -> None:
        progress = self._watermarks.advance(event.tenant, event.revision)
        self._events[_OUTCOMES[progress]].inc()
        if progress is RevisionOrder.GAP:
            self._gaps.inc()
            self._freshness.mark_suspect(event.tenant)
            self._heard.missed(event.tenant, self._clock.monotonic())
            _log.warning("revisions of a tenant went unheard", tenant=event.tenant, revision=event.revision)
        took = self._since(event)
        if progress in (RevisionOrder.FIRST, RevisionOrder.NEXT, RevisionOrder.GAP):
            self._propagation.observe(took)
        _log.log(
            level,
            "changes applied",
            tenant=event.tenant,
            revision=event.revision,
            changes=len(event.changes),
            progress=progress.name.lower(),
            propagation_ms=round(took * 1000, 1),
            correlation_id=event.correlation_id,
        )

    def _since(self, event: RouteChanged) -> float:
        """Seconds since the change: by the primary's clock, or by this host's where that was never heard."""
        local = self._clock.monotonic()
        early, late = self._primary_clock.earliest(local), self._primary_clock.latest(local)
        known = early is not None and late is not None
        now = (early + late) / 2 if known and early and late else self._clock.now().timestamp()
        return max(0.0, now - event.occurred_at.timestamp())
