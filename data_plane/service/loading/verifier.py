"""Compares cached entries with the database, continuously and a few at a time, so that a cache fault is detected."""

import contextlib

import structlog

from data_plane.domain.entry import Entry, State
from data_plane.domain.reading import Reading
from data_plane.errors import UnreadableEntry
from data_plane.ports import RouteCache
from data_plane.service.cache.l1 import L1Cache
from data_plane.service.cache.staleness import StalenessBounds
from data_plane.service.loading.source_chain import SourceChain
from shared.runtime.metrics import Metrics
from shared.runtime.resilience import DependencyUnavailable
from shared.schemas.identity import RouteKey

_log = structlog.get_logger(__name__)


class CacheVerifier:
    """Each sample costs one query, whatever is cached.

    An entry contradicts the database if both have the same revision and different values, or if the database has a
    revision that the entry should include and does not. Everything else may be a difference in time.
    """

    def __init__(
        self, chain: SourceChain, *, l1: L1Cache, cache: RouteCache, staleness: StalenessBounds, metrics: Metrics
    ) -> None:
        self._chain = chain
        self._l1 = l1
        self._cache = cache
        self._staleness = staleness
        samples, mismatches = (
            metrics.counter("tm_verifier_samples_total"),
            metrics.counter("tm_cache_mismatches_total"),
        )
        self._samples = {layer: samples.labels(layer) for layer in ("l1", "redis")}
        self._mismatches = {layer: mismatches.labels(layer) for layer in ("l1", "redis")}

    async def sample(self) -> None:
        """Compare one recently stored entry. Does nothing if there is none, or if no database responds."""
        key = self._l1.sample_recent_key()
        if key is None:
            return
        # Both caches are read before the database, which then can only be newer.
        cached = [("l1", self._read_l1(key)), ("redis", await self._read_l2(key))]
        reading = await self._read_database(key)
        if reading is None:
            return
        for layer, entry in cached:
            if entry is not None:
                self._compare(layer, *entry, reading)

    def _read_l1(self, key: RouteKey) -> tuple[Entry, int] | None:
        entry = self._l1.peek(key)
        return None if entry is None else (entry, self._staleness.revision(self._l1.known(entry)))

    async def _read_l2(self, key: RouteKey) -> tuple[Entry, int] | None:
        with contextlib.suppress(DependencyUnavailable, UnreadableEntry):
            if (entry := await self._cache.get(key)) is not None:
                return entry, entry.tenant_revision
        return None

    async def _read_database(self, key: RouteKey) -> Reading | None:
        for source in self._chain.databases():
            with contextlib.suppress(DependencyUnavailable):
                return await source.database.read(key)
        return None

    def _compare(self, layer: str, entry: Entry, tenant_revision: int, reading: Reading) -> None:
        self._samples[layer].inc()
        if not contradicts(entry, tenant_revision, reading):
            return
        self._mismatches[layer].inc()
        _log.error(
            "a cached entry contradicts the database",
            layer=layer,
            key=str(entry.key),
            cached_revision=entry.revision,
            cached_tenant_revision=tenant_revision,
            database_revision=reading.revision,
        )


def contradicts(entry: Entry, tenant_revision: int, reading: Reading) -> bool:
    """Whether the reading proves that an entry is wrong which should be right at this revision of the tenant."""
    if entry.state is State.ABSENT and reading.state is State.ABSENT:
        return False
    if entry.revision == reading.revision:
        return (entry.state, entry.value) != (reading.state, reading.value)
    if entry.revision < reading.revision:
        return reading.revision <= tenant_revision
    return entry.state is not State.ABSENT and reading.tenant_revision >= entry.revision
