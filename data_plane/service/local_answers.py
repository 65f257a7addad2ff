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
        self._is_surely_fresh = freshness.is_surely_fresh
        self._bound_of = coverage.bound_of
        self.now = clock.monotonic
        self._found = CountTally(
            metrics,
            metrics.counter("tm_resolutions_total").labels("found", "l1"),
            metrics.counter("tm_cache_lookups_total").labels("l1", "hit"),
        )

    def active(self, route: bytes, now: float) -> Slot | None:
        """What is held under `tenant/service/env/version`, when it is an active route that may be answered `now`."""
        slot = self._peek(route)
        if slot is None or not slot.url or not self._is_surely_fresh(slot.as_of, slot.expires_at, now):
            return None
        self._found.count += 1
        return slot

    def bound(self, route: bytes, slot: Slot, now: float) -> float | None:
        """For how many seconds the slot, held under this route, may have been wrong at most. None: not known."""
        return self._bound_of(slot, route.partition(b"/")[0].decode(), slot.revision, now)
