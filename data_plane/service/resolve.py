"""The one question: which URL serves this route, now?"""

import asyncio
import contextlib

from data_plane.domain.answer import Answer, Layer
from data_plane.domain.demand import NO_DEMAND, Demand
from data_plane.domain.entry import Entry, newest
from data_plane.errors import NotFreshEnough, RevisionNotReached, RouteUnknown
from data_plane.service.coverage import Coverage
from data_plane.service.freshness import Freshness
from data_plane.service.load import Found, RouteLoader
from data_plane.service.local_cache import LocalCache
from data_plane.service.single_flight import SingleFlight
from shared.runtime.clock import Clock
from shared.runtime.metrics import Metrics
from shared.schemas.identity import RouteKey

ASK_AGAIN_SECONDS = 0.05
"""How long to wait before the sources are asked again for a revision that none of them has."""
_RESULTS = ("found", "absent", "stale", "unavailable")


class Resolver:
    """Answers from what the process knows, and otherwise waits for one load per key.

    What is answered is always the newest that is known at that moment, so that no caller is told something older than
    the caller before.
    """

    def __init__(
        self,
        *,
        local: LocalCache,
        loader: RouteLoader,
        freshness: Freshness,
        coverage: Coverage,
        clock: Clock,
        metrics: Metrics,
        deadline: float,
    ) -> None:
        """`deadline`: seconds for one answer."""
        self._local = local
        self._loader = loader
        self._freshness = freshness
        self._coverage = coverage
        self._clock = clock
        self._deadline = deadline
        self._flights: SingleFlight[tuple[RouteKey, Demand], Found | None] = SingleFlight()
        resolutions = metrics.counter("tm_resolutions_total")
        layers = (*(str(layer) for layer in Layer), "none")
        self._resolutions = {
            (result, layer): resolutions.labels(result, layer) for result in _RESULTS for layer in layers
        }
        lookups, loads = metrics.counter("tm_cache_lookups_total"), metrics.counter("tm_loads_total")
        self._lookups = {name: lookups.labels("l1", name) for name in ("hit", "negative", "miss", "expired")}
        self._loads = {outcome: loads.labels(outcome) for outcome in ("loaded", "coalesced", "failed")}
        self._regressions = metrics.counter("tm_revision_regressions_total")

    async def resolve(self, key: RouteKey, *, accept_stale: bool = True, demand: Demand = NO_DEMAND) -> Answer:
        """What is known of the route; absent and inactive ones included.

        Raises RouteUnknown when no source can tell, and nothing that may still be answered is known; NotFreshEnough and
        RevisionNotReached when what is known is less than the caller demands, and nobody can do better in time.
        """
        held, now = self._local.get(key), self._clock.monotonic()
        if held is not None and self._freshness.is_fresh(held, now) and self._coverage.meets(held, demand, now):
            self._lookups["hit" if held.is_active else "negative"].inc()
            return self._count(self._answer(held, Layer.L1, now))
        self._lookups["miss" if held is None else "expired"].inc()
        found = await (self._find(key) if demand is NO_DEMAND else self._insist(key, demand, arrival=now))
        answer = self._settle(key, found, accept_stale=accept_stale)
        self._refuse_less(answer, demand, as_if_now=found is not None and found.is_from_primary_since(now))
        return self._count(answer)

    async def _find(self, key: RouteKey, demand: Demand = NO_DEMAND) -> Found | None:
        flight = (key, demand)
        coalesced = self._flights.is_under_way(flight)
        try:
            async with asyncio.timeout(self._deadline):
                found = await self._flights.run(flight, lambda _: self._loader.load(key, demand))
        except TimeoutError:
            found = None
        self._loads["coalesced" if coalesced else "loaded" if found else "failed"].inc()
        return found

    async def _insist(self, key: RouteKey, demand: Demand, arrival: float) -> Found | None:
        """Load again while that may help: until somebody has the revision, and the age that the primary can give."""
        found: Found | None = None
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(self._deadline):
                while True:
                    found = await self._find(key, demand) or found
                    if found is None or self._coverage.meets(found.entry, demand, self._clock.monotonic()):
                        break
                    has_revision = self._coverage.revision(found.entry) >= demand.min_revision
                    if has_revision and (found.layer is not Layer.PRIMARY or found.asked >= arrival):
                        break
                    await asyncio.sleep(0 if has_revision else ASK_AGAIN_SECONDS)
        return found

    def _refuse_less(self, answer: Answer, demand: Demand, *, as_if_now: bool) -> None:
        """`as_if_now`: the primary said so after the request had come, so that no age can be demanded it has not."""
        if answer.reflects < demand.min_revision:
            self._resolutions["unavailable", "none"].inc()
            raise RevisionNotReached(answer.entry.key, demand.min_revision, answer.reflects)
        if demand.max_age is None or as_if_now:
            return
        if answer.bound is None or answer.bound > demand.max_age:
            self._resolutions["unavailable", "none"].inc()
            raise NotFreshEnough(answer.entry.key, demand.max_age, answer.bound)

    def _settle(self, key: RouteKey, found: Found | None, *, accept_stale: bool) -> Answer:
        # Read again: an event may have come between the end of the load and now.
        held, now = self._local.get(key), self._clock.monotonic()
        known = held if found is None else found.entry if held is None else newest(held, found.entry)
        layer = Layer.L1 if found is None else found.layer
        if held is not None and known is not None and known.revision < held.revision:
            self._regressions.inc()
        if known is None:
            raise self._unknown(key, "nothing about it is known here")
        if self._freshness.is_fresh(known, now):
            return self._answer(known, layer, now)
        if not accept_stale:
            raise self._unknown(key, "what is known is stale, and the request refuses that")
        if not _is_from_a_database(found) and not self._freshness.may_be_answered_stale(known, now):
            raise self._unknown(key, "what is known is too old to be answered")
        return self._answer(known, layer, now)

    def _unknown(self, key: RouteKey, why: str) -> RouteUnknown:
        self._resolutions["unavailable", "none"].inc()
        return RouteUnknown(f"No source can tell whether {key} exists; {why}. Try again soon.")

    def _answer(self, entry: Entry, layer: Layer, now: float) -> Answer:
        stale = not self._freshness.is_fresh(entry, now)
        return Answer(
            entry,
            layer,
            stale=stale,
            age=max(0.0, now - entry.as_of),
            remaining=0.0 if stale else entry.expires_at - now,
            bound=self._coverage.bound(entry, now),
            reflects=self._coverage.revision(entry),
        )

    def _count(self, answer: Answer) -> Answer:
        result = "stale" if answer.stale else "found" if answer.entry.is_active else "absent"
        self._resolutions[result, answer.layer].inc()
        return answer

    async def close(self) -> None:
        """End the loads under way."""
        await self._flights.close()


def _is_from_a_database(found: Found | None) -> bool:
    # However far a replica lags: as long as it answers, it is a source that can tell.
    return found is not None and found.layer in (Layer.REPLICA, Layer.PRIMARY)
