"""The use cases of one resolver process, wired to each other over any ports. The composition package adds the edges."""

from collections.abc import Mapping, MutableMapping, Sequence, Set
from dataclasses import dataclass, field

from data_plane.domain.entry import TtlPolicy
from data_plane.domain.remote_clock import PrimaryClock
from data_plane.domain.stream_coverage import StreamCoverage
from data_plane.domain.watermarks import Watermarks
from data_plane.ports import HotKeySource, RouteCache, RouteSource, SnapshotStore, TenantSource
from data_plane.service.cache.absent_keys import AbsentKeyLimit
from data_plane.service.cache.freshness import Freshness
from data_plane.service.cache.l1 import L1Cache
from data_plane.service.cache.l2 import L2Cache
from data_plane.service.cache.staleness import StalenessBounds
from data_plane.service.events.applier import EventApplier
from data_plane.service.loading.coalescer import LoadCoalescer
from data_plane.service.loading.load_limit import LoadLimit
from data_plane.service.loading.loader import RouteLoader
from data_plane.service.loading.replica_pool import ReplicaPool
from data_plane.service.loading.source_chain import SourceChain
from data_plane.service.loading.verifier import CacheVerifier
from data_plane.service.loading.warm_up import WarmUp
from data_plane.service.resolve.bulk import BulkResolver
from data_plane.service.resolve.explainer import Explainer
from data_plane.service.resolve.l1_reader import L1Reader
from data_plane.service.resolve.resolver import Resolver
from data_plane.service.snapshot.persistence import SnapshotPersistence
from data_plane.service.watch.change_log import ChangeLogs
from data_plane.service.watch.encoded_snapshots import EncodedSnapshots, EncodeSnapshot, no_snapshot
from data_plane.service.watch.hub import WatchHub
from data_plane.service.watch.tenant_snapshot import TenantSnapshots
from data_plane.settings import DataPlaneSettings
from shared.runtime.clock import BootClock
from shared.runtime.metrics import Metrics
from shared.runtime.read_limits import rate_of


@dataclass(frozen=True, slots=True)
class Ports:
    """The adapters or fakes. The event stream updates `stream_coverage`; a background loop updates `primary_clock`.

    `encode_snapshot`: makes the event with which a watch begins.
    """

    cache: RouteCache
    replicas: Sequence[RouteSource]
    primary: RouteSource | None
    primary_clock: PrimaryClock
    stream_coverage: StreamCoverage = field(default_factory=StreamCoverage)
    tenants: Sequence[TenantSource] = ()
    encode_snapshot: EncodeSnapshot = no_snapshot
    local_replicas: Set[str] = frozenset()
    """Names of the replicas in the resolver's own zone."""
    snapshots: SnapshotStore | None = None
    hot_key_sources: Mapping[str, Sequence[HotKeySource]] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Core:
    """The use cases that HTTP handlers and workers call."""

    resolver: Resolver
    l1_reader: L1Reader
    bulk: BulkResolver
    applier: EventApplier
    l2: L2Cache
    explainer: Explainer
    verifier: CacheVerifier
    watch_hub: WatchHub
    replicas: ReplicaPool
    warm_up: WarmUp
    snapshots: SnapshotPersistence | None = None


def build_core(
    ports: Ports, settings: DataPlaneSettings, *, clock: BootClock, metrics: Metrics, notes: MutableMapping[str, str]
) -> Core:
    """The use cases over these ports. `notes`: receives a text by dependency while the service is degraded."""
    return _Wiring(ports, settings, clock, metrics, notes).core()


class _Wiring:
    """The parts that several use cases share, and one method for each use case."""

    def __init__(
        self,
        ports: Ports,
        settings: DataPlaneSettings,
        clock: BootClock,
        metrics: Metrics,
        notes: MutableMapping[str, str],
    ) -> None:
        self.ports, self.settings, self.clock, self.metrics = ports, settings, clock, metrics
        self.ttl_policy = TtlPolicy(
            settings.positive_ttl_seconds, settings.negative_ttl_seconds, settings.stale_if_error_seconds
        )
        self.l1 = L1Cache(settings.l1_entries, metrics)
        self.l2 = L2Cache(ports.cache, ttl_policy=self.ttl_policy, clock=clock, metrics=metrics, notes=notes)
        self.freshness = Freshness(self.ttl_policy, clock, metrics)
        self.watermarks = Watermarks()
        self.change_logs = ChangeLogs(
            ports.stream_coverage,
            ports.primary_clock,
            max_changes=settings.change_log_changes,
            max_bytes=settings.change_log_bytes,
            metrics=metrics,
        )
        self.staleness = StalenessBounds(
            stream_coverage=ports.stream_coverage,
            watermarks=self.watermarks,
            primary_clock=ports.primary_clock,
            ttl_policy=self.ttl_policy,
            clock=clock,
            metrics=metrics,
        )
        self.replicas = ReplicaPool(ports.replicas, clock=clock, metrics=metrics, local=ports.local_replicas)
        self.chain = SourceChain(l1=self.l1, l2=self.l2, replicas=self.replicas, primary=ports.primary)
        self.coalescer = self._coalescer()

    def core(self) -> Core:
        resolver, l1_reader = self._resolver(), self._l1_reader()
        return Core(
            resolver=resolver,
            l1_reader=l1_reader,
            bulk=BulkResolver(l1_reader, resolver, self.ttl_policy),
            applier=self._applier(),
            l2=self.l2,
            explainer=self._explainer(),
            verifier=CacheVerifier(
                self.chain, l1=self.l1, cache=self.ports.cache, staleness=self.staleness, metrics=self.metrics
            ),
            watch_hub=self._watch_hub(),
            replicas=self.replicas,
            warm_up=self._warm_up(),
            snapshots=self._snapshots(self.ports.snapshots) if self.ports.snapshots else None,
        )

    def _coalescer(self) -> LoadCoalescer:
        loader = RouteLoader(
            self.chain,
            l1=self.l1,
            l2=self.l2,
            absent_keys=AbsentKeyLimit(
                self.settings.tenant_absent_keys,
                negative_ttl_seconds=self.settings.negative_ttl_seconds,
                clock=self.clock,
                metrics=self.metrics,
            ),
            freshness=self.freshness,
            staleness=self.staleness,
            ttl_policy=self.ttl_policy,
            clock=self.clock,
        )
        rate = rate_of(self.settings.tenant_loads_per_second, self.settings.tenant_load_burst)
        return LoadCoalescer(
            loader,
            deadline_seconds=self.settings.resolve_deadline_seconds,
            metrics=self.metrics,
            limit=LoadLimit(rate, clock=self.clock, metrics=self.metrics),
        )

    def _resolver(self) -> Resolver:
        return Resolver(
            l1=self.l1,
            coalescer=self.coalescer,
            freshness=self.freshness,
            staleness=self.staleness,
            clock=self.clock,
            metrics=self.metrics,
            deadline_seconds=self.settings.resolve_deadline_seconds,
        )

    def _l1_reader(self) -> L1Reader:
        return L1Reader(
            l1=self.l1,
            freshness=self.freshness,
            staleness=self.staleness,
            stream_coverage=self.ports.stream_coverage,
            primary_clock=self.ports.primary_clock,
            clock=self.clock,
            metrics=self.metrics,
        )

    def _applier(self) -> EventApplier:
        return EventApplier(
            l1=self.l1,
            l2=self.l2,
            freshness=self.freshness,
            stream_coverage=self.ports.stream_coverage,
            watermarks=self.watermarks,
            change_logs=self.change_logs,
            primary_clock=self.ports.primary_clock,
            ttl_policy=self.ttl_policy,
            clock=self.clock,
            metrics=self.metrics,
        )

    def _explainer(self) -> Explainer:
        return Explainer(
            self.chain,
            l1=self.l1,
            cache=self.ports.cache,
            freshness=self.freshness,
            staleness=self.staleness,
            watermarks=self.watermarks,
            stream_coverage=self.ports.stream_coverage,
            ttl_policy=self.ttl_policy,
            clock=self.clock,
            deadline_seconds=self.settings.resolve_deadline_seconds,
        )

    def _watch_hub(self) -> WatchHub:
        return WatchHub(
            TenantSnapshots(
                self.ports.tenants, self.change_logs, self.ports.stream_coverage, self._encoded_snapshots()
            ),
            self.change_logs,
            self.ports.stream_coverage,
            limit=self.settings.watch_clients,
            limit_per_tenant=self.settings.watch_clients_limit_per_tenant,
            metrics=self.metrics,
        )

    def _encoded_snapshots(self) -> EncodedSnapshots:
        return EncodedSnapshots(self.ports.encode_snapshot, self.settings.watch_snapshot_bytes, self.metrics)

    def _warm_up(self) -> WarmUp:
        return WarmUp(
            l1=self.l1,
            coalescer=self.coalescer,
            hot_key_sources=self.ports.hot_key_sources,
            freshness=self.freshness,
            clock=self.clock,
            metrics=self.metrics,
            per_second=self.settings.warmup_per_second,
        )

    def _snapshots(self, store: SnapshotStore) -> SnapshotPersistence:
        return SnapshotPersistence(
            store,
            l1=self.l1,
            staleness=self.staleness,
            freshness=self.freshness,
            watermarks=self.watermarks,
            stream_coverage=self.ports.stream_coverage,
            primary_clock=self.ports.primary_clock,
            ttl_policy=self.ttl_policy,
            clock=self.clock,
            metrics=self.metrics,
        )
