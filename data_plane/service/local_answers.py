"""Answers that need nobody else: what the process holds of an active route, as long as nothing speaks against it."""

from data_plane.domain.slot import Slot
from data_plane.service.coverage import Coverage
from data_plane.service.freshness import Freshness
from data_plane.service.local_cache import LocalCache
from shared.runtime.clock import Clock
from shared.runtime.metrics import Metrics
from shared.runtime.tally import CountTally


class LocalAnswers:
    """The shortest way to an answer. Whatever is not plain here is left to the Resolver, which counts it itself."""

    def __init__(
        self, local: LocalCache, freshness: Freshness, coverage: Coverage, clock: Clock, metrics: Metrics
    ) -> None:
        self._peek = local.peek
        self._freshness = freshness
        self.now = clock.monotonic
        self.bound_of = coverage.bound_of
        self._found = CountTally(
            metrics,
            metrics.counter("tm_resolutions_total").labels("found", "l1"),
            metrics.counter("tm_cache_lookups_total").labels("l1", "hit"),
        )

    def active(self, route: bytes, now: float) -> Slot | None:
        """What is held under `tenant/service/env/version`, when it is an active route that may be answered `now`."""
        slot = self._peek(route)
        if slot is None or not slot.url or now >= slot.expires_at or slot.as_of <= self._freshness.last_doubt:
            return None
        self._found.count += 1
        return slot
