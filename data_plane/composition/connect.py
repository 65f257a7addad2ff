"""The resolver on real servers: builds every part from the settings, and opens nothing."""

import secrets
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from functools import partial

from data_plane.adapters.kafka.event_stream import KafkaEventStream
from data_plane.adapters.kafka.status_log import KafkaStatusLog
from data_plane.composition.dependencies import Dependencies
from data_plane.composition.lifespan import EventIntake, ResolverLifespan
from data_plane.composition.stores import Stores
from data_plane.domain.stream_coverage import StreamCoverage
from data_plane.service.core import Core, build_core
from data_plane.service.events.status_reporter import StatusReporter
from data_plane.settings import DataPlaneSettings
from data_plane.worker.event_listener import EventListener
from shared.runtime.access.assembly import Access, build_access
from shared.runtime.access.key_feed import following
from shared.runtime.clock import SystemClock
from shared.runtime.health import Health
from shared.runtime.kafka.producer import KAFKA_FAILURES
from shared.runtime.metrics import Metrics
from shared.runtime.service import Service

STATUS_SECONDS = 2.0
"""Time for one status report, connecting included."""


@dataclass(frozen=True, slots=True)
class ResolverProcess:
    """The parts that the application and tests use. Every server is optional: without any, L1 still answers."""

    settings: DataPlaneSettings
    core: Core
    access: Access
    health: Health
    metrics: Metrics
    lifespan: ResolverLifespan

    def running(self) -> AbstractAsyncContextManager[None]:
        """Open all parts in order, and close them in reverse."""
        return self.lifespan.running()


def connect(settings: DataPlaneSettings) -> ResolverProcess:
    """A resolver process on the servers in the settings."""
    clock, metrics = SystemClock(), Metrics(Service.DATA_PLANE)
    dependencies = Dependencies(clock, metrics)
    health = Health(dependencies.all)
    coverage = StreamCoverage()
    stores = Stores(settings, dependencies, clock=clock, metrics=metrics)
    core = build_core(stores.ports(coverage), settings, clock=clock, metrics=metrics, notes=health.notes)
    health.when_draining.append(core.watch_hub.drain)
    access = build_access(settings, clock=clock, health=health, metrics=metrics)
    follow_keys = partial(
        following, access, settings, health=health, clock=clock, metrics=metrics, snapshot=settings.key_snapshot_path
    )
    events = _events(settings, core, coverage, dependencies, health)
    lifespan = ResolverLifespan(core, settings, access=access, follow_keys=follow_keys, stores=stores, events=events)
    return ResolverProcess(settings, core, access, health, metrics, lifespan)


def _events(
    settings: DataPlaneSettings, core: Core, coverage: StreamCoverage, dependencies: Dependencies, health: Health
) -> EventIntake:
    """The event stream, its listener, and the reports on how far this process has applied it."""
    bootstrap, instance = settings.kafka_bootstrap, settings.instance_id
    kafka = dependencies.health("kafka")
    up = dependencies.metrics.gauge("tm_dependency_up").labels("kafka")
    dependencies.metrics.before_scrape(lambda: up.set(kafka.up is not False))
    status_guard = dependencies.guard("status_reports", STATUS_SECONDS, KAFKA_FAILURES, at_once=1)
    status_log = KafkaStatusLog(bootstrap, instance, status_guard)
    # The worker processes of an instance share its name, and so does an instance that was restarted. The suffix makes the
    # name of each process unique.
    process = f"{instance}-{secrets.token_hex(3)}"
    reporter = StatusReporter(status_log, coverage, instance=process, clock=dependencies.clock)
    stream = KafkaEventStream(
        bootstrap,
        instance,
        stream_coverage=coverage,
        clock=dependencies.clock,
        metrics=dependencies.metrics,
        on_changes=reporter.note_change,
    )
    listener = EventListener(stream, core.applier, health=kafka, notes=health.notes)
    return EventIntake(stream, listener, reporter, status_log)
