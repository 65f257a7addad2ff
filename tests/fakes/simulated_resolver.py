"""A resolver instance on a host of its own, in simulated time; it reads Kafka as late as the simulation says."""

from collections.abc import Callable, Sequence
from random import Random

from msgspec.structs import replace

from data_plane.domain.entry import Entry
from data_plane.domain.remote_clock import PrimaryClock
from data_plane.domain.stream_coverage import StreamCoverage
from data_plane.service.core import Ports, build_core
from data_plane.service.snapshot.persistence import SnapshotPersistence
from data_plane.settings import DataPlaneSettings
from shared.runtime.clock import LocalTime
from shared.runtime.metrics import Metrics
from shared.runtime.service import Service
from shared.schemas.events import Heartbeat, RouteChanged
from shared.schemas.identity import RouteKey
from tests.fakes.data_plane_cache import FakeRouteCache
from tests.fakes.simulated_log import PARTITIONS, Lag, SimulatedKafka, SimulatedPrimary, SimulatedSource
from tests.fakes.simulated_time import HostClock
from tests.fakes.snapshots import FakeSnapshotStore


class RedisSeenFrom:
    """The shared cache for one host: converts between the host's times and true ones."""

    def __init__(self, shared: FakeRouteCache, clock: HostClock) -> None:
        self._shared = shared
        self._clock = clock

    async def get(self, key: RouteKey) -> Entry | None:
        return self._seen(await self._shared.get(key))

    async def get_many(self, keys: Sequence[RouteKey]) -> list[Entry | None]:
        return [await self.get(key) for key in keys]

    async def put(self, entries: Sequence[Entry]) -> Sequence[Entry | None]:
        true = [self._with_times(each, self._clock.true_moment) for each in entries]
        return [self._seen(each) for each in await self._shared.put(true)]

    def _seen(self, entry: Entry | None) -> Entry | None:
        return None if entry is None else self._with_times(entry, self._clock.at)

    @staticmethod
    def _with_times(entry: Entry, convert: Callable[[LocalTime], LocalTime]) -> Entry:
        return replace(entry, read_at=convert(entry.read_at), expires_at=convert(entry.expires_at))


class SimulatedResolver:
    """One instance: its clock, its position in each partition, and its core."""

    def __init__(
        self,
        primary: SimulatedPrimary,
        kafka: SimulatedKafka,
        redis: FakeRouteCache,
        lag: Lag,
        clock: HostClock,
        *,
        l1_entries: int,
    ) -> None:
        self._servers = primary, redis, lag
        self._time = primary.time
        self._kafka = kafka
        self._l1_entries = l1_entries
        self.disk = FakeSnapshotStore()
        self._begin(clock)
        self.reconnect(lost=True)

    def _begin(self, clock: HostClock) -> None:
        primary, redis, lag = self._servers
        self.clock = clock
        self._positions = [0] * PARTITIONS
        self.stream_coverage, self.primary_clock = StreamCoverage(), PrimaryClock()
        self.replica = SimulatedSource(primary, clock, lag)
        self.primary = SimulatedSource(primary, clock)
        settings = DataPlaneSettings.model_validate(
            {"replica_urls": "postgresql://unused", "resolve_deadline_seconds": 10, "l1_entries": self._l1_entries}
        )
        seen = RedisSeenFrom(redis, clock)
        ports = Ports(seen, [self.replica], self.primary, self.primary_clock, self.stream_coverage, snapshots=self.disk)
        self.core = build_core(ports, settings, clock=clock, metrics=Metrics(Service.DATA_PLANE), notes={})

    @property
    def snapshots(self) -> SnapshotPersistence:
        """The persistence on its disk."""
        assert self.core.snapshots is not None
        return self.core.snapshots

    async def start_again(self, clock: HostClock, *, knows_primary_time: bool, offsets_are_gone: bool) -> None:
        """Another process, maybe on another host, with the disk of this one. It resumes the events from the snapshot if it can."""
        self._begin(clock)
        if knows_primary_time:
            now = self._time.now
            self.primary_clock.observe(sent=clock.at(now), received=clock.at(now), remote=self._time.primary())
        offsets = await self.snapshots.read()
        if not offsets or offsets_are_gone:
            self.reconnect(lost=True)
            return
        self._positions = [offsets[each] for each in range(PARTITIONS)]
        self.stream_coverage.begin(dict(enumerate(self._positions)), at=clock.monotonic(), resumed=True)

    def read_primary_time(self, round_trip: float, random: Random) -> None:
        """A round trip to the primary that ends now."""
        sent, read = self._time.now - round_trip, self._time.now - random.random() * round_trip
        remote = self._time.primary(read)
        self.primary_clock.observe(sent=self.clock.at(sent), received=self.clock.monotonic(), remote=remote)

    def reconnect(self, *, lost: bool) -> None:
        """Open the stream again: at its position, or at its end if events are lost."""
        if lost:
            self._positions = [len(each) for each in self._kafka.partitions]
        self.stream_coverage.begin(dict(enumerate(self._positions)), at=self.clock.monotonic(), resumed=not lost)
        self.core.applier.mark_all_suspect()

    async def apply_next(self, partition: int, count: int) -> None:
        """Apply the next records of a partition, in the order of the adapter."""
        start = self._positions[partition]
        records = self._kafka.partitions[partition][start : start + count]
        await self.core.applier.apply([each for each in records if isinstance(each, RouteChanged)])
        self._positions[partition] = start + len(records)
        beats = [each for each in records if isinstance(each, Heartbeat)]
        self.stream_coverage.mark_applied(partition, self._positions[partition], beats)
