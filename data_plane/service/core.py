"""One resolver instance without its edges: the use cases, wired to each other over any ports."""

from collections.abc import Mapping, MutableMapping, Sequence
from dataclasses import dataclass, field

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
from shared.runtime.clock import Clock
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
    ports: Ports, settings: DataPlaneSettings, *, clock: Clock, metrics: Metrics, notes: MutableMapping[str, str]
) -> Core:
    """The use cases over these ports. `notes` is where what is degraded is written down, by name."""
    lives = Lives(settings.positive_life_seconds, settings.negative_life_seconds, settings.max_stale_seconds)
    local = LocalCache(settings.l1_entries, metrics)
    freshness = Freshness(lives, clock, metrics)
    watermarks = Watermarks()
    feeds = ChangeFeeds(ports.heard, ports.primary_clock, settings.watch_history_changes)
    coverage = Coverage(
        local=local,
        heard=ports.heard,
        watermarks=watermarks,
        primary_clock=ports.primary_clock,
        lives=lives,
        clock=clock,
        metrics=metrics,
    )
    shared = SharedCache(ports.cache, lives=lives, clock=clock, metrics=metrics, notes=notes)
    replicas = Replicas(ports.replicas, metrics)
    loader = RouteLoader(
        local=local,
        shared=shared,
        replicas=replicas,
        primary=ports.primary,
        freshness=freshness,
        coverage=coverage,
        lives=lives,
        clock=clock,
        deadline=settings.resolve_deadline_seconds,
    )
    resolver = Resolver(
        local=local,
        loader=loader,
        freshness=freshness,
        coverage=coverage,
        clock=clock,
        metrics=metrics,
        deadline=settings.resolve_deadline_seconds,
    )
    applier = EventApplier(
        local=local,
        shared=shared,
        freshness=freshness,
        heard=ports.heard,
        watermarks=watermarks,
        feeds=feeds,
        primary_clock=ports.primary_clock,
        lives=lives,
        clock=clock,
        metrics=metrics,
    )
    asked = [(Layer.REPLICA, each) for each in ports.replicas]
    explainer = Explainer(
        local=local,
        cache=ports.cache,
        sources=[*asked, *([(Layer.PRIMARY, ports.primary)] if ports.primary else [])],
        freshness=freshness,
        coverage=coverage,
        watermarks=watermarks,
        heard=ports.heard,
        lives=lives,
        clock=clock,
        deadline=settings.resolve_deadline_seconds,
    )
    selfcheck = SelfCheck(
        local=local,
        cache=ports.cache,
        sources=[*ports.replicas, *([ports.primary] if ports.primary else [])],
        coverage=coverage,
        metrics=metrics,
    )
    watches = Watches(
        TenantSnapshots(ports.tenants, feeds, ports.heard),
        feeds,
        ports.heard,
        at_most=settings.watch_clients,
        metrics=metrics,
    )
    warm_up = WarmUp(
        local=local,
        loader=loader,
        knowing=ports.knowing,
        freshness=freshness,
        clock=clock,
        metrics=metrics,
        per_second=settings.warmup_per_second,
    )
    snapshots = (
        None
        if ports.snapshots is None
        else Snapshots(
            ports.snapshots,
            local=local,
            coverage=coverage,
            freshness=freshness,
            watermarks=watermarks,
            heard=ports.heard,
            primary_clock=ports.primary_clock,
            lives=lives,
            clock=clock,
            metrics=metrics,
        )
    )
    answers = LocalAnswers(
        local=local,
        freshness=freshness,
        coverage=coverage,
        heard=ports.heard,
        primary_clock=ports.primary_clock,
        clock=clock,
        metrics=metrics,
    )
    return Core(
        resolver,
        answers,
        BulkResolver(answers, resolver, lives),
        applier,
        shared,
        explainer,
        selfcheck,
        watches,
        replicas,
        warm_up,
        snapshots,
    )
