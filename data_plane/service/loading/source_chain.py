"""What happens when the process itself does not know: Redis, then a replica, then the primary."""

from collections.abc import Sequence

import msgspec
from msgspec.structs import replace

from data_plane.domain.answer import Layer
from data_plane.domain.entry import Entry, TtlPolicy
from data_plane.domain.read_consistency import ReadConsistency
from data_plane.domain.reading import Reading
from data_plane.ports import RouteSource
from data_plane.service.cache.freshness import Freshness
from data_plane.service.cache.l1 import L1Cache
from data_plane.service.cache.l2 import L2Cache
from data_plane.service.cache.staleness import StalenessBounds
from data_plane.service.loading.replica_pool import ReplicaPool
from shared.runtime.clock import Clock, LocalTime
from shared.runtime.resilience import DependencyUnavailable
from shared.schemas.identity import RouteKey

BEHIND_LIFE_SECONDS = 1.0
"""How long a reading is used that is known to be behind, when nobody better can be asked."""


class Found(msgspec.Struct, frozen=True, gc=False):
    """The newest knowledge of a key after a source was asked, which one that was, and when (local monotonic)."""

    entry: Entry
    layer: Layer
    asked: LocalTime

    def is_from_primary_since(self, moment: LocalTime) -> bool:
        """Whether it is what the primary said to a question asked at `moment` or later."""
        return self.layer is Layer.PRIMARY and self.asked >= moment


class RouteLoader:
    """Asks the sources in order until one of them can tell. What it finds is kept; what it keeps is never older."""

    def __init__(
        self,
        *,
        local: L1Cache,
        shared: L2Cache,
        replicas: ReplicaPool,
        primary: RouteSource | None,
        freshness: Freshness,
        coverage: StalenessBounds,
        lives: TtlPolicy,
        clock: Clock,
    ) -> None:
        self._local = local
        self._shared = shared
        self._replicas = replicas
        self._primary = primary
        self._freshness = freshness
        self._coverage = coverage
        self._lives = lives
        self._clock = clock

    async def look_up(self, keys: Sequence[RouteKey]) -> list[Found | None]:
        """What Redis knows of each key; None where it knows nothing, or does not tell."""
        asked = self._clock.monotonic()
        entries = await self._shared.get(keys)
        return [None if entry is None else _found(self._local.store(entry), Layer.REDIS, asked) for entry in entries]

    async def read(self, key: RouteKey, demand: ReadConsistency) -> Found | None:
        """What the databases know; None when none of them tells.

        May be past its life, or less than demanded: then none of them knows better.
        """
        asked = self._clock.monotonic()
        lagging = await _read_first(self._replicas.fit(), key)
        if lagging is not None and self._is_fit(lagging):
            found = await self._keep(lagging, Layer.REPLICA, asked)
            if found is not None and self.satisfies(found.entry, demand):
                return found
        asked = self._clock.monotonic()
        told = await self._read_primary(key)
        if told is not None:
            return await self._keep(told, Layer.PRIMARY, asked)
        return await self._from_unfit(key) if lagging is None else self._keep_lagging(lagging, asked)

    async def _from_unfit(self, key: RouteKey) -> Found | None:
        """Without a primary every replica is behind sooner or later, and still tells more than nobody."""
        asked = self._clock.monotonic()
        reading = await _read_first(self._replicas.unfit(), key)
        if reading is None:
            return None
        if self._is_fit(reading):
            return await self._keep(reading, Layer.REPLICA, asked)
        return self._keep_lagging(reading, asked)

    async def _read_primary(self, key: RouteKey) -> Reading | None:
        return None if self._primary is None else await _read(self._primary, key)

    def _is_fit(self, reading: Reading) -> bool:
        """Not behind anything this process has heard, and right recently enough."""
        return not self._is_behind(reading) and self._is_fresh(self._entry(reading))

    def _is_behind(self, reading: Reading) -> bool:
        return reading.tenant_revision < self._local.newest_revision(reading.key.tenant)

    async def _keep(self, reading: Reading, layer: Layer, asked: LocalTime) -> Found | None:
        entry = self._local.store(self._entry(reading))
        if entry is None or not self._is_fresh(entry):
            return _found(entry, layer, asked)
        newer = await self._shared.fill(entry)
        return _found(entry if newer is None else self._local.store(newer), layer, asked)

    def _keep_lagging(self, reading: Reading, asked: LocalTime) -> Found | None:
        """Better than nothing, for the process alone."""
        self._shared.refuse_behind()
        entry = self._entry(reading)
        if self._is_behind(reading):
            until = LocalTime(self._clock.monotonic() + BEHIND_LIFE_SECONDS)
            entry = replace(entry, expires_at=min(entry.expires_at, until))
        return _found(self._local.store(entry), Layer.REPLICA, asked)

    def _entry(self, reading: Reading) -> Entry:
        return reading.entry(self._lives, self._clock.monotonic())

    def satisfies(self, entry: Entry, demand: ReadConsistency) -> bool:
        """Whether the entry is fresh, and what is demanded."""
        now = self._clock.monotonic()
        return self._freshness.is_fresh(entry, now) and self._coverage.meets(entry, demand, now)

    def _is_fresh(self, entry: Entry) -> bool:
        return self._freshness.is_fresh(entry, self._clock.monotonic())


def _found(entry: Entry | None, layer: Layer, asked: LocalTime) -> Found | None:
    return None if entry is None else Found(entry, layer, asked)


async def _read_first(sources: Sequence[RouteSource], key: RouteKey) -> Reading | None:
    for source in sources:
        if (reading := await _read(source, key)) is not None:
            return reading
    return None


async def _read(source: RouteSource, key: RouteKey) -> Reading | None:
    try:
        return await source.read(key)
    except DependencyUnavailable:
        return None
