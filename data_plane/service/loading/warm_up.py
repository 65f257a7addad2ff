"""Reading what will be asked for before it is: a resolver that is ready without it sends its callers to the database."""

import asyncio
from collections.abc import Mapping, Sequence

import structlog

from data_plane.ports import HotKeySource
from data_plane.service.cache.freshness import Freshness
from data_plane.service.loading.coalescer import Loads
from data_plane.service.snapshot.persistence import HeldRoutes
from shared.runtime.clock import Clock
from shared.runtime.metrics import Metrics
from shared.runtime.resilience import DependencyUnavailable
from shared.schemas.identity import RouteKey

AT_ONCE = 50
"""Routes loaded at the same time."""

_log = structlog.get_logger(__name__)


class WarmUp:
    """Loads the routes of the last snapshot whose life is over; without a snapshot, those that others know to be used.

    At most so many a second, for at most so long, and only as long as somebody can tell: a whole fleet that starts at
    once must not be what brings the database down.
    """

    def __init__(
        self,
        *,
        local: HeldRoutes,
        loads: Loads,
        hot_key_sources: Mapping[str, Sequence[HotKeySource]],
        freshness: Freshness,
        clock: Clock,
        metrics: Metrics,
        per_second: int,
    ) -> None:
        """`knowing`: who knows which routes are used, by source, in the order to ask them."""
        self._local = local
        self._loads = loads
        self._knowing = hot_key_sources
        self._freshness = freshness
        self._clock = clock
        self._per_second = per_second
        self._booted_from = metrics.gauge("tm_warm_start_source_info")

    async def run(self, seconds: float) -> None:
        """Return when all is loaded, nobody can tell, or the time is up."""
        began, loaded = self._clock.monotonic(), 0
        try:
            async with asyncio.timeout(seconds):
                keys = await self._wanted(int(seconds * self._per_second))
                for start in range(0, len(keys), AT_ONCE):
                    fresh = await self._load(keys[start : start + AT_ONCE])
                    if not fresh:
                        break
                    loaded += fresh
        except TimeoutError:
            pass
        _log.info("warmed up", routes=loaded, seconds=round(self._clock.monotonic() - began, 2))

    async def _wanted(self, most: int) -> Sequence[RouteKey]:
        if self._local.sample_recent_key() is not None:
            return self._past_their_life(most)
        for source, those in self._knowing.items():
            for each in those:
                if keys := await _used(each, most):
                    self._booted_from.labels(source).set(1)
                    return keys
        return ()

    def _past_their_life(self, most: int) -> Sequence[RouteKey]:
        now = self._clock.monotonic()
        held = (entry for entries in self._local.in_batches(AT_ONCE) for entry in entries)
        return [entry.key for entry in held if not self._freshness.is_fresh(entry, now)][:most]

    async def _load(self, keys: Sequence[RouteKey]) -> int:
        """Returns how many of them are fresh now. Takes as long as the rate says at least."""
        answers = [self._loads.find(key) for key in keys]
        await asyncio.sleep(len(keys) / self._per_second)
        found = [await answer for answer in answers]
        now = self._clock.monotonic()
        return sum(each is not None and self._freshness.is_fresh(each.entry, now) for each in found)


async def _used(source: HotKeySource, most: int) -> Sequence[RouteKey]:
    try:
        return await source.used(most)
    except DependencyUnavailable:
        return ()
