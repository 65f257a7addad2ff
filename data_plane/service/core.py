"""One resolver instance without its edges: the use cases, wired to each other over any ports."""

from collections.abc import Mapping, MutableMapping, Sequence
from dataclasses import dataclass, field
from functools import partial

from data_plane.domain.answer import Layer
from data_plane.domain.entry import TtlPolicy
from data_plane.domain.remote_clock import PrimaryClock
from data_plane.domain.stream_coverage import StreamCoverage
from data_plane.domain.watermarks import Watermarks
from data_plane.ports import HotKeySource, RouteCache, RouteSource, SnapshotStore, TenantSource
from data_plane.service.cache.freshness import Freshness
from data_plane.service.cache.l1 import L1Cache
from data_plane.service.cache.l2 import L2Cache
from data_plane.service.cache.staleness import StalenessBounds
from data_plane.service.events.applier import EventApplier
from data_plane.service.loading.coalescer import Loads
from data_plane.service.loading.replica_pool import ReplicaPool
from data_plane.service.loading.source_chain import RouteLoader
from data_plane.service.loading.verifier import CacheVerifier
from data_plane.service.loading.warm_up import WarmUp
from data_plane.service.resolve.bulk import BulkResolver
from data_plane.service.resolve.explainer import Explainer
from data_plane.service.resolve.l1_reader import L1Reader
from data_plane.service.resolve.resolver import Resolver
from data_plane.service.snapshot.persistence import SnapshotPersistence
from data_plane.service.watch.change_log import ChangeLogs
from data_plane.service.watch.hub import WatchHub
from data_plane.service.watch.tenant_snapshot import TenantSnapshots
from data_plane.settings import DataPlaneSettings
from shared.runtime.clock import BootClock
from shared.runtime.metrics import Metrics


@dataclass(frozen=True, slots=True)
class Ports:
    """The outside, real or fake. `primary_clock` shows POSIX seconds once somebody has asked for them; `heard` is kept by
    the event stream.
    """

    cache: RouteCache
    replicas: Sequence[RouteSource]
    primary: RouteSource | None
    primary_clock: PrimaryClock
    heard: StreamCoverage = field(default_factory=StreamCoverage)
    tenants: Sequence[TenantSource] = ()
    snapshots: SnapshotStore | None = None
    hot_key_sources: Mapping[str, Sequence[HotKeySource]] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Core:
    """What the edges drive."""

    resolver: Resolver
    l1_reader: L1Reader
    bulk: BulkResolver
    applier: EventApplier
    shared: L2Cache
    explainer: Explainer
    verifier: CacheVerifier
    watches: WatchHub
    replicas: ReplicaPool
    warm_up: WarmUp
    snapshots: SnapshotPersistence | None = None


def build_core(
    ports: Ports, settings: DataPlaneSettings, *, clock: BootClock, metrics: Metrics, notes: MutableMapping[str, str]
) -> Core:
    """The use cases over these ports. `notes` is where what is degraded is written down, by name."""
    return _Wiring(ports, settings, clock, metrics, notes).core()


class _Wiring:
    """What several use cases share, and each use case with its part of it."""

    def __init__(
        self,
        ports: Ports,
        settings: DataPlaneSettings,
        clock: BootClock,
        metrics: Metrics,
        notes: MutableMapping[str, str],
    ) -> None:
        self.ports, self.settings, self.clock, self.metrics = ports, settings, clock, metrics
        self.lives = TtlPolicy(
            settings.positive_ttl_seconds, settings.negative_ttl_seconds, settings.stale_if_error_seconds
        )
        self.local = L1Cache(settings.l1_entries, metrics)
        self.freshness = Freshness(self.lives, clock, metrics)
        self.watermarks = Watermarks()
        self.feeds = ChangeLogs(ports.heard, ports.primary_clock, settings.change_log_changes)
        self.coverage = StalenessBounds(
            local=self.local,
            heard=ports.heard,
            watermarks=self.watermarks,
            primary_clock=ports.primary_clock,
            lives=self.lives,
            clock=clock,
            metrics=metrics,
        )
        self.shared = L2Cache(ports.cache, lives=self.lives, clock=clock, metrics=metrics, notes=notes)
        self.replicas = ReplicaPool(ports.replicas, clock=clock, metrics=metrics)
        self.loads = self._loads()

    def core(self) -> Core:
        resolver, answers = self._resolver(), self._local_answers()
        return Core(
            resolver=resolver,
            l1_reader=answers,
            bulk=BulkResolver(answers, resolver, self.lives),
            applier=self._applier(),
            shared=self.shared,
            explainer=self._explainer(),
            verifier=self._selfcheck(),
            watches=self._watches(),
            replicas=self.replicas,
            warm_up=self._warm_up(),
            snapshots=self._snapshots(self.ports.snapshots) if self.ports.snapshots else None,
        )

    def _loads(self) -> Loads:
        loader = RouteLoader(
            local=self.local,
            shared=self.shared,
            replicas=self.replicas,
            primary=self.ports.primary,
            freshness=self.freshness,
            coverage=self.coverage,
            lives=self.lives,
            clock=self.clock,
        )
        return Loads(loader, deadline=self.settings.resolve_deadline_seconds, metrics=self.metrics)

    def _resolver(self) -> Resolver:
        return Resolver(
            local=self.local,
            loads=self.loads,
            freshness=self.freshness,
            coverage=self.coverage,
            clock=self.clock,
            metrics=self.metrics,
            deadline=self.settings.resolve_deadline_seconds,
        )

    def _local_answers(self) -> L1Reader:
        return L1Reader(
            local=self.local,
            freshness=self.freshness,
            coverage=self.coverage,
            heard=self.ports.heard,
            primary_clock=self.ports.primary_clock,
            clock=self.clock,
            metrics=self.metrics,
        )

    def _applier(self) -> EventApplier:
        return EventApplier(
            local=self.local,
            shared=self.shared,
            freshness=self.freshness,
            heard=self.ports.heard,
            watermarks=self.watermarks,
            feeds=self.feeds,
            primary_clock=self.ports.primary_clock,
            lives=self.lives,
            clock=self.clock,
            metrics=self.metrics,
        )

    def _explainer(self) -> Explainer:
        asked = [(Layer.REPLICA, each) for each in self.ports.replicas]
        primary = [(Layer.PRIMARY, self.ports.primary)] if self.ports.primary else []
        return Explainer(
            local=self.local,
            cache=self.ports.cache,
            shared=self.shared,
            replicas=self.replicas,
            sources=[*asked, *primary],
            freshness=self.freshness,
            coverage=self.coverage,
            watermarks=self.watermarks,
            heard=self.ports.heard,
            lives=self.lives,
            clock=self.clock,
            deadline=self.settings.resolve_deadline_seconds,
        )

    def _selfcheck(self) -> CacheVerifier:
        return CacheVerifier(
            local=self.local,
            cache=self.ports.cache,
            sources=partial(self.replicas.in_read_order, self.ports.primary),
            coverage=self.coverage,
            metrics=self.metrics,
        )

    def _watches(self) -> WatchHub:
        return WatchHub(
            TenantSnapshots(self.ports.tenants, self.feeds, self.ports.heard),
            self.feeds,
            self.ports.heard,
            at_most=self.settings.watch_clients,
            at_most_of_tenant=self.settings.watch_clients_limit_per_tenant,
            metrics=self.metrics,
        )

    def _warm_up(self) -> WarmUp:
        return WarmUp(
            local=self.local,
            loads=self.loads,
            hot_key_sources=self.ports.hot_key_sources,
            freshness=self.freshness,
            clock=self.clock,
            metrics=self.metrics,
            per_second=self.settings.warmup_per_second,
        )

    def _snapshots(self, store: SnapshotStore) -> SnapshotPersistence:
        return SnapshotPersistence(
            store,
            local=self.local,
            coverage=self.coverage,
            freshness=self.freshness,
            watermarks=self.watermarks,
            heard=self.ports.heard,
            primary_clock=self.ports.primary_clock,
            lives=self.lives,
            clock=self.clock,
            metrics=self.metrics,
        )
