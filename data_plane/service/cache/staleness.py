"""Up to which time, and which revision of its tenant, an entry is known to be right; docs/adr/0013 has the proof."""

import math
from typing import Protocol

from data_plane.domain.entry import KnownEntry, TtlPolicy
from data_plane.domain.read_consistency import ANY, ReadConsistency
from data_plane.domain.remote_clock import UNPROVEN, PrimaryClock, PrimaryTime
from data_plane.domain.stream_coverage import StreamCoverage
from data_plane.domain.watermarks import Watermarks
from shared.runtime.clock import Clock, LocalTime
from shared.runtime.metrics import Metrics


class Evidence(Protocol):
    """The fields of an `Entry` or a `Slot` that a bound is derived from."""

    @property
    def expires_at(self) -> LocalTime: ...

    @property
    def proven_at(self) -> PrimaryTime: ...

    @property
    def tenant_revision(self) -> int: ...


class StalenessBounds:
    """Derives bounds from entries and the event stream."""

    def __init__(
        self,
        *,
        stream_coverage: StreamCoverage,
        watermarks: Watermarks,
        primary_clock: PrimaryClock,
        ttl_policy: TtlPolicy,
        clock: Clock,
        metrics: Metrics,
    ) -> None:
        self._stream_coverage = stream_coverage
        self._watermarks = watermarks
        self._primary_clock = primary_clock
        self._positive_ttl_seconds = ttl_policy.positive_seconds
        self._clock = clock
        gauge = metrics.gauge("tm_staleness_bound_seconds")
        metrics.before_scrape(lambda: gauge.set(self._stream_age()))

    def proven_at(self, known: KnownEntry) -> PrimaryTime:
        """The primary's time up to which the entry is known to be right; UNPROVEN also if that clock was set since."""
        entry = known.entry
        proven_at = self.proven_at_if_clock_unchanged(entry, entry.key.tenant, known.min_revision)
        return UNPROVEN if proven_at is None else proven_at

    def bound(self, known: KnownEntry, now: LocalTime) -> float | None:
        """Upper bound on the entry's staleness in seconds, at local `now`. None: unknown."""
        entry = known.entry
        proven_at = self.proven_at_if_clock_unchanged(entry, entry.key.tenant, known.min_revision)
        return None if proven_at is None else self.age(proven_at, now)

    def revision(self, known: KnownEntry) -> int:
        """The tenant's revision up to which the entry is known to be right."""
        own, applied = known.entry.tenant_revision, self._watermarks.applied(known.entry.key.tenant)
        if own + 1 < applied.start or own < known.min_revision:
            return own
        newest = applied.stop - 1
        return newest if newest > own else own

    def satisfies(self, known: KnownEntry, consistency: ReadConsistency, now: LocalTime) -> bool:
        """Whether the entry is as fresh as the caller demands."""
        if consistency is ANY:
            return True
        if self.revision(known) < consistency.min_revision:
            return False
        if consistency.max_age is None:
            return True
        bound = self.bound(known, now)
        return bound is not None and bound <= consistency.max_age

    def proven_at_if_clock_unchanged(self, evidence: Evidence, tenant: str, min_revision: int) -> PrimaryTime | None:
        """The primary's time up to which an entry of the tenant is known to be right; None if the clock may have been set since.

        Valid until the primary's clock or the stream coverage changes.
        """
        if evidence.expires_at <= self._primary_clock.set_at + self._positive_ttl_seconds:
            return None
        # The entry's own proof, or the last heartbeat applied, unless a change between the two may be missing.
        own, heartbeat = evidence.proven_at, self._stream_coverage.until
        if own < self._primary_clock.ambiguous_until:
            return None
        if heartbeat <= own or evidence.tenant_revision < min_revision:
            return own
        covered_from = self._primary_clock.latest(self._stream_coverage.since(tenant))
        return heartbeat if covered_from is not None and own >= covered_from else own

    def age(self, proven_at: PrimaryTime, now: LocalTime) -> float | None:
        """Upper bound on the seconds since that time of the primary, at local `now`. None: unknown."""
        age = self._primary_clock.age(proven_at, now)
        # A time in the future was not read from the same clock.
        return age if age is not None and 0 <= age < math.inf else None

    def _stream_age(self) -> float:
        until = self._stream_coverage.until
        age = None if until < self._primary_clock.ambiguous_until else self.age(until, self._clock.monotonic())
        return math.inf if age is None else age
