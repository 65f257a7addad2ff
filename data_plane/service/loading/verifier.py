"""Compares what is cached with the database, a little all the time, so that a wrong cache does not stay a secret."""

import contextlib
from collections.abc import Callable, Sequence

import structlog

from data_plane.domain.entry import Entry, State
from data_plane.domain.reading import Reading
from data_plane.errors import UnreadableEntry
from data_plane.ports import RouteCache, RouteSource
from data_plane.service.cache.l1 import L1Cache
from data_plane.service.cache.staleness import StalenessBounds
from shared.runtime.metrics import Metrics
from shared.runtime.resilience import DependencyUnavailable
from shared.schemas.identity import RouteKey

_log = structlog.get_logger(__name__)


class CacheVerifier:
    """One sample is one query, whatever is cached: constant work.

    Only what can be compared is: an entry contradicts the database when both have one revision with two values, or when
    the database has a revision that the entry claims to reflect and does not.
    """

    def __init__(
        self,
        *,
        local: L1Cache,
        cache: RouteCache,
        sources: Callable[[], Sequence[RouteSource]],
        coverage: StalenessBounds,
        metrics: Metrics,
    ) -> None:
        """`sources`: the databases, in the order to ask them now; one that lags has little to compare with."""
        self._local = local
        self._cache = cache
        self._sources = sources
        self._coverage = coverage
        samples, wrong = metrics.counter("tm_verifier_samples_total"), metrics.counter("tm_cache_mismatches_total")
        self._samples = {layer: samples.labels(layer) for layer in ("l1", "redis")}
        self._wrong = {layer: wrong.labels(layer) for layer in ("l1", "redis")}

    async def sample(self) -> None:
        """Compare one route that was stored lately. Skipped when there is none, or nobody to compare with."""
        key = self._local.sample_recent_key()
        if key is None:
            return
        # Both are looked at before the database, which then can only know more.
        claims = [("l1", self._claimed(self._local.held(key))), ("redis", await self._in_redis(key))]
        reading = await self._read(key)
        if reading is None:
            return
        for layer, claim in claims:
            if claim is not None:
                self._compare(layer, *claim, reading)

    def _claimed(self, entry: Entry | None) -> tuple[Entry, int] | None:
        return None if entry is None else (entry, self._coverage.revision(entry))

    async def _in_redis(self, key: RouteKey) -> tuple[Entry, int] | None:
        with contextlib.suppress(DependencyUnavailable, UnreadableEntry):
            if (entry := await self._cache.get(key)) is not None:
                return entry, entry.tenant_revision
        return None

    async def _read(self, key: RouteKey) -> Reading | None:
        for source in self._sources():
            with contextlib.suppress(DependencyUnavailable):
                return await source.read(key)
        return None

    def _compare(self, layer: str, entry: Entry, tenant_revision: int, reading: Reading) -> None:
        self._samples[layer].inc()
        if not contradicts(entry, tenant_revision, reading):
            return
        self._wrong[layer].inc()
        _log.error(
            "a cache contradicts the database",
            layer=layer,
            key=str(entry.key),
            cached_revision=entry.revision,
            claimed_revision=tenant_revision,
            database_revision=reading.revision,
        )


def contradicts(entry: Entry, tenant_revision: int, reading: Reading) -> bool:
    """Whether an entry that claims to be right at the tenant's revision `reflects` cannot be, by the reading."""
    if entry.state is State.ABSENT and reading.state is State.ABSENT:
        return False
    if entry.revision == reading.revision:
        return (entry.state, entry.url) != (reading.state, reading.url)
    if entry.revision < reading.revision:
        return reading.revision <= tenant_revision
    return entry.state is not State.ABSENT and reading.tenant_revision >= entry.revision
