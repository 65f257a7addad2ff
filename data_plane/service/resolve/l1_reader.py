"""Reads served from L1 alone: slots that are fresh and not suspect. Anything else is left to the Resolver."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from operator import attrgetter

from data_plane.domain.remote_clock import PrimaryClock, PrimaryTime
from data_plane.domain.slot import Slot
from data_plane.domain.stream_coverage import StreamCoverage
from data_plane.service.cache.freshness import Freshness
from data_plane.service.cache.l1 import L1Cache
from data_plane.service.cache.staleness import StalenessBounds
from shared.runtime.clock import Clock, LocalTime
from shared.runtime.metrics import Metrics

_EXPIRES_AT, _PROVEN_AT = attrgetter("expires_at"), attrgetter("proven_at")


@dataclass(frozen=True, slots=True)
class _WeakestEvidence:
    """Evidence that holds for each of several slots."""

    expires_at: LocalTime
    proven_at: PrimaryTime
    tenant_revision: int = 0


class L1Reader:
    """The shortest path to an answer. The caller counts the answers that it gives."""

    def __init__(
        self,
        *,
        l1: L1Cache,
        freshness: Freshness,
        staleness: StalenessBounds,
        stream_coverage: StreamCoverage,
        primary_clock: PrimaryClock,
        clock: Clock,
        metrics: Metrics,
    ) -> None:
        self._slot = l1.slot
        self._freshness = freshness
        self._staleness = staleness
        self._stream_coverage = stream_coverage
        self._primary_clock = primary_clock
        self.now = clock.monotonic
        self.age = staleness.age
        resolutions, lookups = metrics.counter("tm_resolutions_total"), metrics.counter("tm_cache_lookups_total")
        self._found, self._hits = resolutions.labels("found", "l1"), lookups.labels("l1", "hit")
        self._negative, self._negative_hits = resolutions.labels("negative", "l1"), lookups.labels("l1", "negative")

    def count_found(self, answers: int) -> None:
        """Count answers with an active route."""
        self._found.inc(answers)
        self._hits.inc(answers)

    def count_negative(self, answers: int) -> None:
        """Count answers that there is no active route."""
        self._negative.inc(answers)
        self._negative_hits.inc(answers)

    def fresh(self, path: bytes, now: LocalTime) -> Slot | None:
        """The slot under `tenant/service/env/version`, active or not, if it may be served `now`."""
        slot = self._slot(path)
        if slot is None or now >= slot.expires_at or slot.read_at <= self._freshness.last_suspect_at:
            return None
        return slot

    def proven_at(self, slot: Slot, tenant: str) -> PrimaryTime | None:
        """The primary's time up to which a slot of the tenant is known to be right; UNPROVEN and None: unknown."""
        return self._staleness.proven_at_if_clock_unchanged(slot, tenant, slot.revision)

    def proven_at_of_all(self, slots: Sequence[Slot], tenants: Iterable[str]) -> PrimaryTime | None:
        """A time at which every one of the slots (one at least) is known to be right; `tenants`: all of theirs.

        Cheaper than `proven_at` of each, and may be earlier than the earliest of them.
        """
        weakest = _WeakestEvidence(min(map(_EXPIRES_AT, slots)), min(map(_PROVEN_AT, slots)))
        proven = [self._staleness.proven_at_if_clock_unchanged(weakest, tenant, min_revision=0) for tenant in tenants]
        return min((each for each in proven if each is not None), default=None) if None not in proven else None

    def changes(self) -> int:
        """Grows whenever anything but the time changes that decides which slots are served, and with which bound."""
        return self._stream_coverage.changes + self._primary_clock.changes + self._freshness.changes
