"""The one question: which URL serves this route, now?"""

import asyncio
import contextlib

from data_plane.domain.answer import Answer, Layer
from data_plane.domain.entry import Entry, newest
from data_plane.domain.read_consistency import ANY, ReadConsistency
from data_plane.domain.slot import route_of
from data_plane.errors import NotFreshEnough, RevisionNotReached, RouteUnknown
from data_plane.service.cache.freshness import Freshness
from data_plane.service.cache.l1 import L1Cache
from data_plane.service.cache.staleness import StalenessBounds
from data_plane.service.loading.coalescer import Loads
from data_plane.service.loading.source_chain import Found
from shared.runtime.clock import Clock, LocalTime
from shared.runtime.metrics import Metrics
from shared.runtime.metrics_buffer import BufferedCounter
from shared.schemas.identity import RouteKey

ASK_AGAIN_SECONDS = 0.05
"""How long to wait before the sources are asked again for a revision that none of them has, or can tell of."""
_RESULTS = ("found", "negative", "stale", "unavailable")
_LOOKUPS = ("hit", "negative", "miss", "expired")


class Resolver:
    """Answers from what the process knows, and otherwise waits for one load per key.

    What is answered is always the newest that is known at that moment, so that no caller is told something older than
    the caller before.
    """

    def __init__(
        self,
        *,
        local: L1Cache,
        loads: Loads,
        freshness: Freshness,
        coverage: StalenessBounds,
        clock: Clock,
        metrics: Metrics,
        deadline: float,
    ) -> None:
        """`deadline`: seconds for an answer to a demand; every other takes one load at most."""
        self._local = local
        self._loads = loads
        self._freshness = freshness
        self._coverage = coverage
        self._clock = clock
        self._deadline = deadline
        resolutions = metrics.counter("tm_resolutions_total")
        layers = (*(str(layer) for layer in Layer), "none")
        self._resolutions = {
            (result, layer): BufferedCounter(metrics, resolutions.labels(result, layer).inc)
            for result in _RESULTS
            for layer in layers
        }
        lookups = metrics.counter("tm_cache_lookups_total")
        self._lookups = {name: BufferedCounter(metrics, lookups.labels("l1", name).inc) for name in _LOOKUPS}
        self._regressions = metrics.counter("tm_revision_regressions_total")

    async def resolve(self, key: RouteKey, *, accept_stale: bool = True, demand: ReadConsistency = ANY) -> Answer:
        """What is known of the route; absent and inactive ones included.

        Raises RouteUnknown when no source can tell, and nothing that may still be answered is known; NotFreshEnough and
        RevisionNotReached when what is known is less than the caller demands, and nobody can do better in time.
        """
        route = route_of(key)
        slot, now = self._local.peek(route), self._clock.monotonic()
        held = None if slot is None else slot.entry(key)
        if held is not None and self._freshness.is_fresh(held, now) and self._coverage.meets(held, demand, now):
            self._lookups["hit" if held.is_active else "negative"].count += 1
            return self._count(self._answer(held, held.revision, Layer.L1, now, stale=False))
        self._lookups["miss" if held is None else "expired"].count += 1
        found = await (self._loads.find(key) if demand is ANY else self._load_until_satisfied(key, demand, arrival=now))
        answer = self._settle(key, route, found, accept_stale=accept_stale)
        if demand is not ANY:
            self._refuse_less(answer, demand, as_if_now=found is not None and found.is_from_primary_since(now))
        return self._count(answer)

    async def _load_until_satisfied(self, key: RouteKey, demand: ReadConsistency, arrival: LocalTime) -> Found | None:
        """Load again while that may help: until the revision is known, and the age that the primary can give.

        While no source can tell, the revision's event may still come; an age is not waited for.
        """
        found: Found | None = None
        route = route_of(key)
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(self._deadline):
                while True:
                    told = await self._loads.find(key, demand)
                    found = told or found
                    known, _ = self._newest(key, route, found)
                    if known is not None and self._coverage.meets(known, demand, self._clock.monotonic()):
                        break
                    reached = 0 if known is None else self._coverage.revision(known)
                    if reached < demand.min_revision:
                        await asyncio.sleep(ASK_AGAIN_SECONDS)
                    elif told is None or told.layer is not Layer.PRIMARY or told.asked >= arrival:
                        break
        return found

    def _refuse_less(self, answer: Answer, demand: ReadConsistency, *, as_if_now: bool) -> None:
        """`as_if_now`: the primary said so after the request had come, so that no age can be demanded it has not."""
        if answer.tenant_revision < demand.min_revision:
            self._resolutions["unavailable", "none"].count += 1
            raise RevisionNotReached(answer.entry.key, demand.min_revision, answer.tenant_revision)
        if demand.max_age is None or as_if_now:
            return
        if answer.bound is None or answer.bound > demand.max_age:
            self._resolutions["unavailable", "none"].count += 1
            raise NotFreshEnough(answer.entry.key, demand.max_age, answer.bound)

    def _settle(self, key: RouteKey, route: bytes, found: Found | None, *, accept_stale: bool) -> Answer:
        (known, min_revision), now = self._newest(key, route, found), self._clock.monotonic()
        if known is None:
            raise self._unknown(key, "nothing about it is known here")
        stale = not self._freshness.is_fresh(known, now)
        if stale and not accept_stale:
            raise self._unknown(key, "what is known is stale, and the request refuses that")
        if stale and not _is_from_a_database(found) and not self._freshness.may_be_answered_stale(known, now):
            raise self._unknown(key, "what is known is too old to be answered")
        return self._answer(known, min_revision, Layer.L1 if found is None else found.layer, now, stale=stale)

    def _newest(self, key: RouteKey, route: bytes, found: Found | None) -> tuple[Entry | None, int]:
        """The newest that is known, and the key's floor."""
        if found is None:
            held = self._local.get(key)
            return held, 0 if held is None else held.revision
        # Looked at again: an event may have come between the end of the load and now.
        held, min_revision = self._local.newer_than(found.entry, route)
        if held is None:
            return found.entry, min_revision
        known = newest(held, found.entry)
        if known.revision < held.revision:
            self._regressions.inc()
        return known, min_revision

    def _unknown(self, key: RouteKey, why: str) -> RouteUnknown:
        self._resolutions["unavailable", "none"].count += 1
        return RouteUnknown(f"No source can tell whether {key} exists; {why}. Try again soon.")

    def _answer(self, entry: Entry, min_revision: int, layer: Layer, now: LocalTime, *, stale: bool) -> Answer:
        bound, tenant_revision = self._coverage.bound_and_revision(entry, min_revision, now)
        age, remaining = now - entry.read_at, entry.expires_at - now
        return Answer(entry, layer, stale, age if age > 0 else 0.0, 0.0 if stale else remaining, bound, tenant_revision)

    def _count(self, answer: Answer) -> Answer:
        result = "stale" if answer.stale else "negative" if answer.entry.url is None else "found"
        self._resolutions[result, answer.layer].count += 1
        return answer

    async def close(self) -> None:
        """End the loads under way."""
        await self._loads.close()


def _is_from_a_database(found: Found | None) -> bool:
    # However far a replica lags: as long as it answers, it is a source that can tell.
    return found is not None and found.layer in (Layer.REPLICA, Layer.PRIMARY)
