"""Loads hot keys before the process is ready: an empty cache would send its callers' requests to the database."""

import asyncio
from collections.abc import Mapping, Sequence

import structlog

from data_plane.ports import HotKeySource
from data_plane.service.cache.freshness import Freshness
from data_plane.service.cache.l1 import L1Cache
from data_plane.service.loading.coalescer import LoadCoalescer
from shared.runtime.clock import Clock
from shared.runtime.metrics import Metrics
from shared.runtime.resilience import DependencyUnavailable
from shared.schemas.identity import RouteKey

BATCH_SIZE = 50
"""Keys loaded at the same time."""

_log = structlog.get_logger(__name__)


class WarmUp:
    """Loads the expired entries of the last snapshot; without a snapshot, the keys that the hot-key sources name.

    Limited in rate and time, and ended as soon as the loads fail: a whole fleet that starts at once must not overload
    the database.
    """

    def __init__(
        self,
        *,
        l1: L1Cache,
        coalescer: LoadCoalescer,
        hot_key_sources: Mapping[str, Sequence[HotKeySource]],
        freshness: Freshness,
        clock: Clock,
        metrics: Metrics,
        per_second: int,
    ) -> None:
        """`hot_key_sources`: by kind, in the order to read them. `per_second`: loads started in a second."""
        self._l1 = l1
        self._coalescer = coalescer
        self._hot_key_sources = hot_key_sources
        self._freshness = freshness
        self._clock = clock
        self._per_second = per_second
        self._started_from = metrics.gauge("tm_warm_start_source_info")

    async def run(self, seconds: float) -> None:
        """Return when all keys are loaded, the loads fail, or the time is over."""
        began, loaded = self._clock.monotonic(), 0
        try:
            async with asyncio.timeout(seconds):
                keys = await self._hot_keys(int(seconds * self._per_second))
                for start in range(0, len(keys), BATCH_SIZE):
                    fresh = await self._load(keys[start : start + BATCH_SIZE])
                    if not fresh:
                        break
                    loaded += fresh
        except TimeoutError:
            pass
        _log.info("warmed up", routes=loaded, seconds=round(self._clock.monotonic() - began, 2))

    async def _hot_keys(self, limit: int) -> Sequence[RouteKey]:
        if self._l1.sample_recent_key() is not None:
            return self._expired_keys(limit)
        for kind, sources in self._hot_key_sources.items():
            for source in sources:
                if keys := await _read(source, limit):
                    self._started_from.labels(kind).set(1)
                    return keys
        return ()

    def _expired_keys(self, limit: int) -> Sequence[RouteKey]:
        now = self._clock.monotonic()
        entries = (entry for batch in self._l1.in_batches(BATCH_SIZE) for entry in batch)
        return [entry.key for entry in entries if not self._freshness.is_fresh(entry, now)][:limit]

    async def _load(self, keys: Sequence[RouteKey]) -> int:
        """Returns how many of the keys are fresh now. Takes at least as long as the rate demands."""
        loads = [self._coalescer.load(key, is_limited=False) for key in keys]
        await asyncio.sleep(len(keys) / self._per_second)
        results = [await load for load in loads]
        now = self._clock.monotonic()
        return sum(each is not None and self._freshness.is_fresh(each.entry, now) for each in results)


async def _read(source: HotKeySource, limit: int) -> Sequence[RouteKey]:
    try:
        return await source.hot_keys(limit)
    except DependencyUnavailable:
        return ()
