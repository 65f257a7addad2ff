"""One resolver instance without its edges: the use cases, wired to each other over any ports."""

from collections.abc import Mapping, MutableMapping, Sequence
from dataclasses import dataclass, field
from functools import partial

from data_plane.domain.answer import Layer
from data_plane.domain.entry import Lives
from data_plane.domain.heard import Heard
from data_plane.domain.remote_clock import RemoteClock
from data_plane.domain.watermarks import Watermarks
from data_plane.ports import RouteCache, RouteSource, SnapshotStore, TenantSource, UsedRoutes
from data_plane.service.apply import EventApplier
from data_plane.service.change_feeds import ChangeFeeds
from data_plane.service.coverage import Coverage
from data_plane.service.explain import Explainer
from data_plane.service.freshness import Freshness
from data_plane.service.load import RouteLoader
from data_plane.service.loads import Loads
from data_plane.service.local_answers import LocalAnswers
from data_plane.service.local_cache import LocalCache
from data_plane.service.replicas import Replicas
from data_plane.service.resolve import Resolver
from data_plane.service.resolve_many import BulkResolver
from data_plane.service.selfcheck import SelfCheck
from data_plane.service.shared_cache import SharedCache
from data_plane.service.snapshots import Snapshots
from data_plane.service.tenant_snapshots import TenantSnapshots
from data_plane.service.warm_up import WarmUp
from data_plane.service.watches import Watches
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
    primary_clock: RemoteClock
    heard: Heard = field(default_factory=Heard)
    tenants: Sequence[TenantSource] = ()
    snapshots: SnapshotStore | None = None
    knowing: Mapping[str, Sequence[UsedRoutes]] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Core:
    """What the edges drive."""

    resolver: Resolver
    local_answers: LocalAnswers
    bulk: BulkResolver
    applier: EventApplier
    shared: SharedCache
    explainer: Explainer
    selfcheck: SelfCheck
    watches: Watches
    replicas: Replicas
    warm_up: WarmUp
    snapshots: Snapshots | None = None


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
        self.lives = Lives(settings.positive_life_seconds, settings.negative_life_seconds, settings.max_stale_seconds)
        self.local = LocalCache(settings.l1_entries, metrics)
        self.freshness = Freshness(self.lives, clock, metrics)
        self.watermarks = Watermarks()
        self.feeds = ChangeFeeds(ports.heard, ports.primary_clock, settings.watch_history_changes)
        self.coverage = Coverage(
            local=self.local,
            heard=ports.heard,
            watermarks=self.watermarks,
            primary_clock=ports.primary_clock,
            lives=self.lives,
            clock=clock,
            metrics=metrics,
        )
        self.shared = SharedCache(ports.cache, lives=self.lives, clock=clock, metrics=metrics, notes=notes)
        self.replicas = Replicas(ports.replicas, clock=clock, metrics=metrics)
        self.loads = self._loads()

    def core(self) -> Core:
        resolver, answers = self._resolver(), self._local_answers()
        return Core(
            resolver=resolver,
            local_answers=answers,
            bulk=BulkResolver(answers, resolver, self.lives),
            applier=self._applier(),
            shared=self.shared,
            explainer=self._explainer(),
            selfcheck=self._selfcheck(),
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

    def _local_answers(self) -> LocalAnswers:
        return LocalAnswers(
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

    def _selfcheck(self) -> SelfCheck:
        return SelfCheck(
            local=self.local,
            cache=self.ports.cache,
            sources=partial(self.replicas.around, self.ports.primary),
            coverage=self.coverage,
            metrics=self.metrics,
        )

    def _watches(self) -> Watches:
        return Watches(
            TenantSnapshots(self.ports.tenants, self.feeds, self.ports.heard),
            self.feeds,
            self.ports.heard,
            at_most=self.settings.watch_clients,
            at_most_of_tenant=self.settings.watch_places_of_a_tenant,
            metrics=self.metrics,
        )

    def _warm_up(self) -> WarmUp:
        return WarmUp(
            local=self.local,
            loads=self.loads,
            knowing=self.ports.knowing,
            freshness=self.freshness,
            clock=self.clock,
            metrics=self.metrics,
            per_second=self.settings.warmup_per_second,
        )

    def _snapshots(self, store: SnapshotStore) -> Snapshots:
        return Snapshots(
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
