"""Applies events to the caches: each changed value is stored in L1 and L2, whether or not it was requested before."""

import logging
from collections.abc import Sequence

import structlog

from data_plane.domain.active_value import ActiveValue
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
from shared.schemas.events import ChangesWithheld, RouteChange, RouteChanged
from shared.schemas.identity import RouteKey

BACKLOG_EVENTS = 20
"""A larger batch is a backlog, and its events are logged at debug level."""

_log = structlog.get_logger(__name__)
_OUTCOMES = {
    RevisionOrder.FIRST: "applied",
    RevisionOrder.NEXT: "applied",
    RevisionOrder.GAP: "applied",
    RevisionOrder.DUPLICATE: "duplicate",
    RevisionOrder.OLDER: "older",
}


class EventApplier:
    """Stores change sets in L1, then in L2, and then counts them as applied.

    Each changed key is compared and set on its own, even if the tenant has a newer revision already: the relay may send
    an event twice, and out of order.
    """

    def __init__(
        self,
        *,
        l1: L1Cache,
        l2: L2Cache,
        freshness: Freshness,
        stream_coverage: StreamCoverage,
        watermarks: Watermarks,
        change_logs: ChangeLogs,
        primary_clock: PrimaryClock,
        ttl_policy: TtlPolicy,
        clock: Clock,
        metrics: Metrics,
    ) -> None:
        self._l1 = l1
        self._l2 = l2
        self._freshness = freshness
        self._stream_coverage = stream_coverage
        self._watermarks = watermarks
        self._change_logs = change_logs
        self._primary_clock = primary_clock
        self._ttl_policy = ttl_policy
        self._clock = clock
        events = metrics.counter("tm_events_total")
        self._events = {outcome: events.labels("route-events", outcome) for outcome in set(_OUTCOMES.values())}
        self._withheld = events.labels("route-events", "withheld")
        self._gaps = metrics.counter("tm_revision_gaps_total")
        self._propagation = metrics.histogram("tm_propagation_seconds")

    async def apply(self, events: Sequence[RouteChanged]) -> None:
        """Apply these events. Never fails: changes that cannot be written to L2 are pending there."""
        changed: dict[RouteKey, Entry] = {}
        for event in events:
            for key, change in event.keyed_changes():
                offered = self._entry(event, key, change)
                stored = self._l1.store(offered) or offered
                changed[key] = newest(changed.get(key, stored), stored)
        await self._l2.push(list(changed.values()))
        level = logging.INFO if len(events) <= BACKLOG_EVENTS else logging.DEBUG
        for event in events:
            self._advance(event, level)
            self._change_logs.publish(event)

    def apply_withheld(self, markers: Sequence[ChangesWithheld]) -> None:
        """Change sets of these tenants are missing from the stream: their entries and watches must be read again."""
        for each in markers:
            self._withheld.inc()
            self._freshness.mark_suspect(each.tenant)
            self._stream_coverage.mark_gap(each.tenant, self._clock.monotonic())
            self._change_logs.end(each.tenant)
            _log.warning("a change set was withheld from the stream", tenant=each.tenant, revision=each.revision)

    def mark_all_suspect(self) -> None:
        """Events of any tenant may be missing."""
        self._freshness.mark_all_suspect(self._l1.tenants())

    def _entry(self, event: RouteChanged, key: RouteKey, change: RouteChange) -> Entry:
        """Right since `occurred_at`: the tenant was locked from then until the commit.

        While the primary's time is unknown, or may be from before its clock was set back, so is the age of the change. The
        entry then has no TTL: the next request loads the key again, and no older entry is accepted.
        """
        now, value = self._clock.monotonic(), ActiveValue.of(change.value)
        occurred_at = PrimaryTime(event.occurred_at.timestamp())
        is_dated = occurred_at >= self._primary_clock.ambiguous_until
        read_at = self._primary_clock.local_time_of(occurred_at, at=now) if is_dated else None
        return self._ttl_policy.entry(
            key,
            State.INACTIVE if value is None else State.ACTIVE,
            value,
            event.revision,
            read_at=NEVER if read_at is None else min(read_at, now),
            now=now,
            proven_at=occurred_at,
        )

    def _advance(self, event: RouteChanged, level: int) -> None:
        order = self._watermarks.advance(event.tenant, event.revision)
        self._events[_OUTCOMES[order]].inc()
        if order is RevisionOrder.GAP:
            self._gaps.inc()
            self._freshness.mark_suspect(event.tenant)
            self._stream_coverage.mark_gap(event.tenant, self._clock.monotonic())
            _log.warning("revisions of a tenant are missing", tenant=event.tenant, revision=event.revision)
        propagation = self._seconds_since(event)
        if order in (RevisionOrder.FIRST, RevisionOrder.NEXT, RevisionOrder.GAP):
            self._propagation.observe(propagation)
        _log.log(
            level,
            "changes applied",
            tenant=event.tenant,
            revision=event.revision,
            changes=len(event.changes),
            order=order.name.lower(),
            propagation_ms=round(propagation * 1000, 1),
            correlation_id=event.correlation_id,
        )

    def _seconds_since(self, event: RouteChanged) -> float:
        """By the primary's clock, or by this host's wall clock while the primary's is unknown."""
        local = self._clock.monotonic()
        early, late = self._primary_clock.earliest(local), self._primary_clock.latest(local)
        now = self._clock.now().timestamp() if early is None or late is None else (early + late) / 2
        return max(0.0, now - event.occurred_at.timestamp())
