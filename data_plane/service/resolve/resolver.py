"""Resolves one key: from L1 if possible, otherwise by a load."""

import asyncio
import contextlib

from data_plane.domain.answer import Answer, Layer
from data_plane.domain.entry import KnownEntry, newest
from data_plane.domain.read_consistency import ANY, ReadConsistency
from data_plane.domain.slot import path_of
from data_plane.errors import NotFreshEnough, RevisionNotReached, RouteUnknown, TooManyLoads
from data_plane.service.cache.freshness import Freshness
from data_plane.service.cache.l1 import L1Cache
from data_plane.service.cache.staleness import StalenessBounds
from data_plane.service.loading.coalescer import LoadCoalescer
from data_plane.service.loading.loader import LoadResult
from data_plane.service.resolve.answer_ages import AnswerAges
from shared.runtime.clock import Clock, LocalTime
from shared.runtime.metrics import Metrics
from shared.runtime.metrics_buffer import BufferedCounter
from shared.schemas.identity import RouteKey

RETRY_SECONDS = 0.05
"""Pause before the sources are read again for a revision that none of them has yet."""
_RESULTS = ("found", "negative", "stale", "unavailable")
_LOOKUPS = ("hit", "negative", "miss", "expired")


class Resolver:
    """Every answer is the newest entry known at that moment, so that no caller gets an older one than the caller before."""

    def __init__(
        self,
        *,
        l1: L1Cache,
        coalescer: LoadCoalescer,
        freshness: Freshness,
        staleness: StalenessBounds,
        clock: Clock,
        metrics: Metrics,
        deadline_seconds: float,
    ) -> None:
        """`deadline_seconds`: for a request with a read consistency; any other takes one load at most."""
        self._l1 = l1
        self._coalescer = coalescer
        self._freshness = freshness
        self._staleness = staleness
        self._clock = clock
        self._deadline_seconds = deadline_seconds
        resolutions = metrics.counter("tm_resolutions_total")
        layers = (*(str(layer) for layer in Layer), "none")
        self._resolutions = {
            (result, layer): BufferedCounter(metrics, resolutions.labels(result, layer).inc)
            for result in _RESULTS
            for layer in layers
        }
        lookups = metrics.counter("tm_cache_lookups_total")
        self._lookups = {name: BufferedCounter(metrics, lookups.labels("l1", name).inc) for name in _LOOKUPS}
        self._ages = AnswerAges(metrics)
        self._regressions = metrics.counter("tm_revision_regressions_total")

    async def resolve(self, key: RouteKey, *, accept_stale: bool = True, consistency: ReadConsistency = ANY) -> Answer:
        """The answer for the key; that a route is absent or inactive is an answer as well.

        Raises TooManyLoads if the tenant's loads are limited and no known entry may be served; RouteUnknown if no source can be read and no known entry may be served; RevisionNotReached or NotFreshEnough
        if the newest entry does not satisfy the consistency when the deadline ends.
        """
        path = path_of(key)
        known, now = self._l1.get(key, path), self._clock.monotonic()
        if known is not None and self._is_served_from_l1(known, consistency, now):
            self._lookups["hit" if known.entry.is_active else "negative"].count += 1
            return self._count(self._answer(known, Layer.L1, now, stale=False))
        self._lookups["miss" if known is None else "expired"].count += 1
        if consistency is ANY:
            result = await self._load(key, path, accept_stale=accept_stale)
            return self._count(self._answer_after_load(key, path, result, accept_stale=accept_stale))
        result = await self._load_until_satisfied(key, path, consistency, arrival=now)
        answer = self._answer_after_load(key, path, result, accept_stale=accept_stale)
        self._check(answer, consistency, is_current=result is not None and result.is_from_primary_since(now))
        return self._count(answer)

    async def _load(self, key: RouteKey, path: bytes, *, accept_stale: bool) -> LoadResult | None:
        """One load; None without a result, or if it is refused and a stale entry can be served instead."""
        try:
            return await self._coalescer.load(key)
        except TooManyLoads:
            known = self._l1.get(key, path)
            if known is None or not accept_stale:
                raise
            if not self._freshness.may_serve_stale(known.entry, self._clock.monotonic()):
                raise
            return None

    def _is_served_from_l1(self, known: KnownEntry, consistency: ReadConsistency, now: LocalTime) -> bool:
        if not self._freshness.is_fresh(known.entry, now):
            return False
        return consistency is ANY or self._staleness.satisfies(known, consistency, now)

    async def _load_until_satisfied(
        self, key: RouteKey, path: bytes, consistency: ReadConsistency, arrival: LocalTime
    ) -> LoadResult | None:
        """Repeat the load while that can help: until the revision is known, and the primary was read once.

        While no source can be read, the event with the revision may still arrive; an age does not improve by waiting.
        """
        result: LoadResult | None = None
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(self._deadline_seconds):
                while True:
                    last = await self._coalescer.load(key, consistency)
                    result = last or result
                    known = self._newest_known(key, path, result)
                    if known is not None and self._staleness.satisfies(known, consistency, self._clock.monotonic()):
                        break
                    reached = 0 if known is None else self._staleness.revision(known)
                    if reached < consistency.min_revision:
                        await asyncio.sleep(RETRY_SECONDS)
                    elif last is None or last.layer is not Layer.PRIMARY or last.started_at >= arrival:
                        break
        return result

    def _check(self, answer: Answer, consistency: ReadConsistency, *, is_current: bool) -> None:
        """Raise if the answer does not satisfy the consistency. `is_current`: the primary was read after the request
        arrived, which satisfies every `max_age`.
        """
        if answer.tenant_revision < consistency.min_revision:
            self._resolutions["unavailable", "none"].count += 1
            raise RevisionNotReached(answer.entry.key, consistency.min_revision, answer.tenant_revision)
        if consistency.max_age is None or is_current:
            return
        if answer.bound is None or answer.bound > consistency.max_age:
            self._resolutions["unavailable", "none"].count += 1
            raise NotFreshEnough(answer.entry.key, consistency.max_age, answer.bound)

    def _answer_after_load(
        self, key: RouteKey, path: bytes, result: LoadResult | None, *, accept_stale: bool
    ) -> Answer:
        known, now = self._newest_known(key, path, result), self._clock.monotonic()
        if known is None:
            raise self._unknown(key, "this process has no entry for it")
        stale = not self._freshness.is_fresh(known.entry, now)
        if stale and not accept_stale:
            raise self._unknown(key, "the known entry is stale, and the request does not accept a stale answer")
        if stale and not _is_from_database(result) and not self._freshness.may_serve_stale(known.entry, now):
            raise self._unknown(key, "the known entry is too old to be served")
        return self._answer(known, Layer.L1 if result is None else result.layer, now, stale=stale)

    def _newest_known(self, key: RouteKey, path: bytes, result: LoadResult | None) -> KnownEntry | None:
        """The newest of the loaded entry and the one in L1, which an event may have replaced since the load."""
        if result is None:
            return self._l1.get(key, path)
        in_l1, min_revision = self._l1.newer_than(result.entry, path)
        if in_l1 is None:
            return KnownEntry(result.entry, min_revision)
        entry = newest(in_l1, result.entry)
        if entry.revision < in_l1.revision:
            self._regressions.inc()
        return KnownEntry(entry, min_revision)

    def _unknown(self, key: RouteKey, why: str) -> RouteUnknown:
        self._resolutions["unavailable", "none"].count += 1
        return RouteUnknown(f"No source can be read for {key}, and {why}. Try again soon.")

    def _answer(self, known: KnownEntry, layer: Layer, now: LocalTime, *, stale: bool) -> Answer:
        entry = known.entry
        bound, tenant_revision = self._staleness.bound(known, now), self._staleness.revision(known)
        age, remaining = now - entry.read_at, entry.expires_at - now
        return Answer(entry, layer, stale, age if age > 0 else 0.0, 0.0 if stale else remaining, bound, tenant_revision)

    def _count(self, answer: Answer) -> Answer:
        result = "stale" if answer.stale else "negative" if answer.entry.value is None else "found"
        self._resolutions[result, answer.layer].count += 1
        self._ages.until_next -= 1
        if self._ages.until_next <= 0:
            self._ages.observe(answer.age, is_negative=answer.entry.value is None)
        return answer

    async def close(self) -> None:
        """Cancel the loads in progress."""
        await self._coalescer.close()


def _is_from_database(result: LoadResult | None) -> bool:
    # A replica that responds is a source, however far it lags.
    return result is not None and result.layer in (Layer.REPLICA, Layer.PRIMARY)
