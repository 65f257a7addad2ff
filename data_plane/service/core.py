"""One resolver instance without its edges: the use cases, wired to each other over any ports."""

from collections.abc import MutableMapping, Sequence
from dataclasses import dataclass

from data_plane.domain.entry import Lives
from data_plane.domain.remote_clock import RemoteClock
from data_plane.ports import RouteCache, RouteSource
from data_plane.service.apply import EventApplier
from data_plane.service.freshness import Freshness
from data_plane.service.load import RouteLoader
from data_plane.service.local_answers import LocalAnswers
from data_plane.service.local_cache import LocalCache
from data_plane.service.resolve import Resolver
from data_plane.service.resolve_many import BulkResolver
from data_plane.service.shared_cache import SharedCache
from data_plane.settings import DataPlaneSettings
from shared.runtime.clock import Clock
from shared.runtime.metrics import Metrics


@dataclass(frozen=True, slots=True)
class Ports:
    """The outside, real or fake. `primary_clock` shows POSIX seconds once somebody has asked for them."""

    cache: RouteCache
    replicas: Sequence[RouteSource]
    primary: RouteSource | None
    primary_clock: RemoteClock


@dataclass(frozen=True, slots=True)
class Core:
    """What the edges drive."""

    resolver: Resolver
    local_answers: LocalAnswers
    bulk: BulkResolver
    applier: EventApplier
    shared: SharedCache


def build_core(
    ports: Ports, settings: DataPlaneSettings, *, clock: Clock, metrics: Metrics, notes: MutableMapping[str, str]
) -> Core:
    """The use cases over these ports. `notes` is where what is degraded is written down, by name."""
    lives = Lives(settings.positive_life_seconds, settings.negative_life_seconds, settings.max_stale_seconds)
    local = LocalCache(settings.l1_entries, metrics)
    freshness = Freshness(lives, clock, metrics)
    shared = SharedCache(ports.cache, lives=lives, clock=clock, metrics=metrics, notes=notes)
    loader = RouteLoader(
        local=local,
        shared=shared,
        replicas=ports.replicas,
        primary=ports.primary,
        freshness=freshness,
        lives=lives,
        clock=clock,
        deadline=settings.resolve_deadline_seconds,
    )
    resolver = Resolver(
        local=local,
        loader=loader,
        freshness=freshness,
        clock=clock,
        metrics=metrics,
        deadline=settings.resolve_deadline_seconds,
    )
    applier = EventApplier(
        local=local,
        shared=shared,
        freshness=freshness,
        primary_clock=ports.primary_clock,
        lives=lives,
        clock=clock,
        metrics=metrics,
    )
    answers = LocalAnswers(local, freshness, clock, metrics)
    return Core(resolver, answers, BulkResolver(answers, resolver), applier, shared)
