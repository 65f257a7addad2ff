"""Answers that need nobody else: what the process holds of a route, as long as nothing speaks against it."""

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
class _Worst:
    """The Claim that each of several slots makes at least."""

    expires_at: LocalTime
    proven_at: PrimaryTime
    tenant_revision: int = 0


class L1Reader:
    """The shortest way to an answer. Whatever is not plain here is left to the Resolver, which counts it itself.

    Whoever gives answers counts them.
    """

    def __init__(
        self,
        *,
        local: L1Cache,
        freshness: Freshness,
        coverage: StalenessBounds,
        heard: StreamCoverage,
        primary_clock: PrimaryClock,
        clock: Clock,
        metrics: Metrics,
    ) -> None:
        self._peek = local.peek
        self._freshness = freshness
        self._coverage = coverage
        self._heard = heard
        self._primary_clock = primary_clock
        self.now = clock.monotonic
        self.age = coverage.age
        resolutions, lookups = metrics.counter("tm_resolutions_total"), metrics.counter("tm_cache_lookups_total")
        self._found, self._hits = resolutions.labels("found", "l1"), lookups.labels("l1", "hit")
        self._absent, self._negatives = resolutions.labels("negative", "l1"), lookups.labels("l1", "negative")

    def count_found(self, answers: int) -> None:
        """Count so many answers that were given, each with an active route."""
        self._found.inc(answers)
        self._hits.inc(answers)

    def count_absent(self, answers: int) -> None:
        """Count so many answers that were given, each that there is no active route."""
        self._absent.inc(answers)
        self._negatives.inc(answers)

    def fresh(self, route: bytes, now: LocalTime) -> Slot | None:
        """What is held under `tenant/service/env/version`, active or not, when it may be answered `now`."""
        slot = self._peek(route)
        if slot is None or now >= slot.expires_at or slot.read_at <= self._freshness.last_suspect_at:
            return None
        return slot

    def proven_at(self, slot: Slot, tenant: str) -> PrimaryTime | None:
        """The primary's time up to which a slot of the tenant is known to be right; -inf and None: not known."""
        return self._coverage.proven_at_if_clock_unchanged(slot, tenant, slot.revision)

    def proven_at_of_all(self, slots: Sequence[Slot], tenants: Iterable[str]) -> PrimaryTime | None:
        """As `proven_at`, for all of these slots, one at least, of these tenants. Not as late as each could be proven by itself."""
        worst = _Worst(min(map(_EXPIRES_AT, slots)), min(map(_PROVEN_AT, slots)))
        known = [self._coverage.proven_at_if_clock_unchanged(worst, tenant, min_revision=0) for tenant in tenants]
        return min((each for each in known if each is not None), default=None) if None not in known else None

    def changes(self) -> int:
        """A number that grows whenever what decides about answers and their bounds has changed; the time apart."""
        return self._heard.changes + self._primary_clock.changes + self._freshness.doubts
