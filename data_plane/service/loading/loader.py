"""Loads from the source chain what L1 does not hold, and stores it in L1 and L2."""

from collections.abc import Sequence

import msgspec
from msgspec.structs import replace

from data_plane.domain.answer import Layer
from data_plane.domain.entry import Entry, TtlPolicy
from data_plane.domain.read_consistency import ANY, ReadConsistency
from data_plane.domain.reading import Reading
from data_plane.ports import RouteSource
from data_plane.service.cache.absent_keys import AbsentKeyLimit
from data_plane.service.cache.freshness import Freshness
from data_plane.service.cache.l1 import L1Cache
from data_plane.service.cache.l2 import L2Cache
from data_plane.service.cache.staleness import StalenessBounds
from data_plane.service.loading.source_chain import SourceChain
from shared.runtime.clock import Clock, LocalTime
from shared.runtime.resilience import DependencyUnavailable
from shared.schemas.identity import RouteKey

LAGGING_TTL_SECONDS = 1.0
"""TTL of a reading from a replica that is behind, used when no better source is available."""
REFRESH_AHEAD_SECONDS = 10.0
"""How long before its expiry an entry may be read again."""
REFRESHED_KEYS = 16
"""Keys added to a query at most: they take the event loop some milliseconds."""


class LoadResult(msgspec.Struct, frozen=True, gc=False):
    """The newest entry of a key after a layer was read, that layer, and when the read started (local)."""

    entry: Entry
    layer: Layer
    started_at: LocalTime

    def is_from_primary_since(self, at: LocalTime) -> bool:
        """Whether the primary was read, and the read started at this local time or later."""
        return self.layer is Layer.PRIMARY and self.started_at >= at


class RouteLoader:
    """Reads the layers of the chain in order. An entry that it stores never replaces a newer one."""

    def __init__(
        self,
        chain: SourceChain,
        *,
        l1: L1Cache,
        l2: L2Cache,
        absent_keys: AbsentKeyLimit,
        freshness: Freshness,
        staleness: StalenessBounds,
        ttl_policy: TtlPolicy,
        clock: Clock,
    ) -> None:
        self._chain = chain
        self._l1 = l1
        self._l2 = l2
        self._absent_keys = absent_keys
        self._freshness = freshness
        self._staleness = staleness
        self._ttl_policy = ttl_policy
        self._clock = clock

    async def look_up(self, keys: Sequence[RouteKey]) -> list[LoadResult | None]:
        """Read the keys from L2; None for a key that it does not hold, or while it is not read."""
        started_at = self._clock.monotonic()
        entries = await self._l2.get(keys)
        return [None if entry is None else _result(self._l1.store(entry), Layer.REDIS, started_at) for entry in entries]

    def due_for_refresh(self) -> Sequence[RouteKey]:
        """Keys to read in the next query of a database although no request waits for them; none while L2 is usable.

        L2 otherwise spares the databases all loads but one of the whole fleet. Without it, each expiry in each process would
        be a query.
        """
        if self._l2.is_usable():
            return ()
        return self._l1.expiring(LocalTime(self._clock.monotonic() + REFRESH_AHEAD_SECONDS), REFRESHED_KEYS)

    async def read(self, key: RouteKey, consistency: ReadConsistency) -> LoadResult | None:
        """Read the key from the databases; None if none of them responds.

        The entry may be expired, or older than demanded, if no database has a better one.
        """
        lagging: Reading | None = None
        started_at = self._clock.monotonic()
        for layer, database, is_last_resort in self._chain.databases():
            if lagging is not None and layer is Layer.REPLICA:
                continue  # One replica was read already: only the primary can be expected to have more.
            started_at = self._clock.monotonic()
            reading = await _read(database, key)
            if reading is None:
                continue
            if layer is Layer.PRIMARY:
                return await self._store(reading, layer, started_at)
            if self._is_usable(reading):
                result = await self._store(reading, layer, started_at)
                if is_last_resort or (result is not None and self.satisfies(result.entry, consistency)):
                    return result
            lagging = reading
        return None if lagging is None else self._store_lagging(lagging, started_at)

    def satisfies(self, entry: Entry, consistency: ReadConsistency) -> bool:
        """Whether the entry is fresh, and as recent as demanded."""
        now = self._clock.monotonic()
        if not self._freshness.is_fresh(entry, now):
            return False
        return consistency is ANY or self._staleness.satisfies(self._l1.known(entry), consistency, now)

    def _is_usable(self, reading: Reading) -> bool:
        return self._chain.verdict(Layer.REPLICA, reading).usable and self._is_fresh(self._entry(reading))

    async def _store(self, reading: Reading, layer: Layer, started_at: LocalTime) -> LoadResult | None:
        offered = self._entry(reading)
        if not self._may_store(offered):
            return _result(self._unless_behind(offered), layer, started_at)
        entry = self._l1.store(offered)
        if entry is None or not self._is_fresh(entry):
            return _result(entry, layer, started_at)
        newer = await self._l2.fill(entry)
        return _result(entry if newer is None else self._l1.store(newer), layer, started_at)

    def _store_lagging(self, reading: Reading, started_at: LocalTime) -> LoadResult | None:
        """Store it in L1 only: it is better than nothing for this process, and of no use to others."""
        self._l2.count_refused_behind()
        entry = self._entry(reading)
        if not self._chain.verdict(Layer.REPLICA, reading).usable:
            until = LocalTime(self._clock.monotonic() + LAGGING_TTL_SECONDS)
            entry = replace(entry, expires_at=min(entry.expires_at, until))
        stored = self._l1.store(entry) if self._may_store(entry) else self._unless_behind(entry)
        return _result(stored, Layer.REPLICA, started_at)

    def _may_store(self, entry: Entry) -> bool:
        return self._l1.peek(entry.key) is not None or self._absent_keys.admit(entry)

    def _unless_behind(self, entry: Entry) -> Entry | None:
        """The entry, unless a newer one may have been evicted from L1."""
        return None if entry.tenant_revision < self._l1.min_revision(entry.key) else entry

    def _entry(self, reading: Reading) -> Entry:
        return reading.entry(self._ttl_policy, self._clock.monotonic())

    def _is_fresh(self, entry: Entry) -> bool:
        return self._freshness.is_fresh(entry, self._clock.monotonic())


def _result(entry: Entry | None, layer: Layer, started_at: LocalTime) -> LoadResult | None:
    return None if entry is None else LoadResult(entry, layer, started_at)


async def _read(database: RouteSource, key: RouteKey) -> Reading | None:
    try:
        return await database.read(key)
    except DependencyUnavailable:
        return None
