"""A resolver instance on fakes, and what tests do with it."""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime

from data_plane.domain.answer import Answer
from data_plane.domain.read_consistency import ANY, ReadConsistency
from data_plane.domain.remote_clock import PrimaryClock, PrimaryTime
from data_plane.domain.stream_coverage import StreamCoverage
from data_plane.http.sse.framing import snapshot_event
from data_plane.ports import HotKeySource, SnapshotStore
from data_plane.service.core import Core, Ports, build_core
from data_plane.service.snapshot.persistence import SnapshotPersistence
from data_plane.settings import DataPlaneSettings
from shared.runtime.metrics import Metrics
from shared.runtime.service import Service
from shared.schemas.events import Heartbeat
from shared.schemas.identity import RouteKey
from tests.fakes.data_plane_cache import FakeRouteCache
from tests.fakes.data_plane_database import FakePrimary, FakeRouteSource
from tests.fakes.data_plane_tenants import FakeTenantSource
from tests.fakes.snapshots import FakeSnapshotStore
from tests.support.active_values import url_of
from tests.support.clocks import MovableClock

KEY = RouteKey("team-a", "payments", "prod", "v1")


class World:
    """The servers behind any number of resolver instances, in memory, on one clock that only moves when a test moves it."""

    def __init__(self) -> None:
        self.clock = MovableClock()
        self.database = FakePrimary(self.clock)
        self.primary = FakeRouteSource(self.database, "postgres")
        self.replica = FakeRouteSource(self.database, "replica-1")
        self.tenant_replica = FakeTenantSource(self.database, is_primary=False)
        self.tenant_primary = FakeTenantSource(self.database, is_primary=True)
        self.redis = FakeRouteCache()
        self.disk = FakeSnapshotStore()

    def primary_time(self, ahead_seconds: float = 0.0) -> PrimaryTime:
        """The primary's time now, or that of a primary whose clock is ahead by so much."""
        return PrimaryTime(self.clock.now().timestamp() + ahead_seconds)

    def settings(self, **changed: object) -> DataPlaneSettings:
        """The defaults, with a deadline that no step of a test comes near."""
        return DataPlaneSettings.model_validate(
            {"replica_urls": "postgresql://unused", "resolve_deadline_seconds": 10, **changed}
        )

    def instance(
        self,
        *,
        knows_primary_time: bool = True,
        receives_events: bool = True,
        disk: SnapshotStore | None = None,
        **settings: object,
    ) -> "Instance":
        """A new resolver on these servers, with the world's disk or the given one."""
        return Instance(
            self,
            self.settings(**settings),
            knows_primary_time=knows_primary_time,
            receives_events=receives_events,
            disk=self.disk if disk is None else disk,
        )

    def all_databases(self, *, down: bool) -> None:
        """Stop or start the replica and the primary."""
        self.replica.is_down = self.primary.is_down = down


class Instance:
    """One resolver instance in a world."""

    def __init__(
        self,
        world: World,
        settings: DataPlaneSettings,
        *,
        knows_primary_time: bool,
        receives_events: bool,
        disk: SnapshotStore,
    ) -> None:
        self._world = world
        self.settings = settings
        self.metrics = Metrics(Service.DATA_PLANE)
        self.notes: dict[str, str] = {}
        self.primary_clock = PrimaryClock()
        if knows_primary_time:
            self.learn_primary_time()
        self.stream_coverage = StreamCoverage()
        if receives_events:
            self.open_stream()
        tenants = [world.tenant_replica, world.tenant_primary]
        hot_key_sources: Mapping[str, Sequence[HotKeySource]] = {"redis": [world.redis], "replica": [world.replica]}
        ports = Ports(
            world.redis,
            [world.replica],
            world.primary,
            self.primary_clock,
            self.stream_coverage,
            tenants=tenants,
            encode_snapshot=snapshot_event,
            snapshots=disk,
            hot_key_sources=hot_key_sources,
        )
        self.core: Core = build_core(ports, settings, clock=world.clock, metrics=self.metrics, notes=self.notes)

    def learn_primary_time(self) -> None:
        """Observe the primary's clock with a round trip of no duration."""
        now = self._world.clock.monotonic()
        self.primary_clock.observe(sent=now, received=now, remote=self._world.primary_time())

    def open_stream(self) -> None:
        """Open the stream at its end."""
        self.stream_coverage.begin({0: 0}, at=self._world.clock.monotonic(), resumed=False)

    @property
    def snapshots(self) -> SnapshotPersistence:
        """The persistence on the world's disk."""
        assert self.core.snapshots is not None
        return self.core.snapshots

    def apply_heartbeat(self, moment: float | None = None) -> None:
        """Apply a heartbeat of that moment (monotonic), or of now."""
        proven_at = self._world.database.time_at(self._world.clock.monotonic() if moment is None else moment)
        self.stream_coverage.mark_applied(0, 0, [Heartbeat(as_of=datetime.fromtimestamp(proven_at, UTC), partitions=1)])

    async def resolve(
        self, key: RouteKey = KEY, *, accept_stale: bool = True, consistency: ReadConsistency = ANY
    ) -> Answer:
        return await self.core.resolver.resolve(key, accept_stale=accept_stale, consistency=consistency)

    def count(self, name: str, **labels: str) -> float:
        """The value of a counter."""
        self.metrics.refresh()
        for metric in self.metrics.counter(name).collect():
            for sample in metric.samples:
                if sample.name == name and sample.labels == labels:
                    return sample.value
        raise KeyError(f"{name} {labels}")


def summary_of(answer: Answer) -> str:
    """The answer's URL or state, its layer, and whether it is stale: `https://… l1 stale`."""
    words = [url_of(answer.entry) or answer.entry.state.name.lower(), answer.layer.value]
    return " ".join([*words, "stale"] if answer.stale else words)
