"""The composition root: builds the parts, with the stores of `stores.py`, and hands them to each other."""

import gc
import secrets
from collections.abc import AsyncIterator, Sequence
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager
from functools import partial

from data_plane.adapters.kafka.event_stream import KafkaEventStream
from data_plane.adapters.kafka.status_log import STATUS_FAILURES, KafkaStatusLog
from data_plane.dependencies import Dependencies
from data_plane.domain.stream_coverage import StreamCoverage
from data_plane.errors import AnotherTenants, NoSuchTenant, RouteUnknown, TooManyKeys, TooManyWatchers, WatchUnavailable
from data_plane.http.explain import explain_handler
from data_plane.http.fast_path.middleware import FastPath
from data_plane.http.resolve import resolve_handler
from data_plane.http.resolve_many import TOO_MANY_KEYS, resolve_many_handler
from data_plane.http.responses import ROUTE_UNKNOWN
from data_plane.http.sse.stream import Pace
from data_plane.http.tenant_concealment import another_tenants, hidden_route
from data_plane.http.watch import NO_SUCH_TENANT, TOO_MANY_WATCHERS, WATCH_UNAVAILABLE, watch_handler
from data_plane.service.core import build_core
from data_plane.service.events.status_reporter import StatusReporter
from data_plane.service.resolve.bulk import BulkResolver
from data_plane.service.resolve.explainer import Explainer
from data_plane.service.resolve.resolver import Resolver
from data_plane.settings import DataPlaneSettings
from data_plane.stores import Stores
from data_plane.worker import (
    EventListener,
    keep_checking,
    keep_redis_in_step,
    keep_snapshots,
    running,
    write_last_snapshot,
)
from shared.runtime import logs, tracing
from shared.runtime.access.assembly import Access, build_access
from shared.runtime.access.key_feed import following
from shared.runtime.clock import SystemClock
from shared.runtime.health import Health
from shared.runtime.http.application import Handler, Lifespan, build_application
from shared.runtime.http.request_limits import RequestLimits, request_limits_of
from shared.runtime.http.telemetry import TelemetryMiddleware
from shared.runtime.metric_catalogue import Service
from shared.runtime.metrics import Metrics
from shared.runtime.settings import read_settings

STATUS_SECONDS = 2.0
"""For one status report, connecting included."""


def create_app() -> FastPath:
    """The application as the server runs it, from the environment."""
    settings = read_settings(DataPlaneSettings)
    logs.configure(
        service=Service.DATA_PLANE,
        instance=settings.instance_id,
        level=settings.log_level,
        log_format=settings.log_format,
    )
    tracing.configure(service=Service.DATA_PLANE, instance=settings.instance_id)
    app = Assembly(settings).app
    # What is there now is there for good, the cache's queues too: with a million routes in them, a visit of the garbage
    # collector would keep every caller waiting for a tenth of a second.
    gc.freeze()
    return app


def build_app(
    resolver: Resolver,
    bulk: BulkResolver,
    explainer: Explainer,
    *,
    further: Sequence[Handler] = (),
    access: Access,
    negative_ttl: float,
    health: Health,
    metrics: Metrics,
    lifespan: Lifespan | None = None,
    limits: RequestLimits | None = None,
) -> TelemetryMiddleware:
    """The application over any resolver and `further` handlers, without the layer before it that answers L1 hits."""
    return build_application(
        title="Traffic Manager resolver",
        description="Which URL serves this tenant, service, environment and version, now.",
        handlers=[resolve_handler(resolver), resolve_many_handler(bulk), explain_handler(explainer), *further],
        problem_types={
            RouteUnknown: ROUTE_UNKNOWN,
            TooManyKeys: TOO_MANY_KEYS,
            AnotherTenants: hidden_route(negative_ttl),
            NoSuchTenant: NO_SUCH_TENANT,
            TooManyWatchers: TOO_MANY_WATCHERS,
            WatchUnavailable: WATCH_UNAVAILABLE,
        },
        health=health,
        metrics=metrics,
        authenticator=access.authenticator,
        make_not_found=another_tenants,
        lifespan=lifespan,
        limits=limits,
    )


class Assembly:
    """A resolver instance over real servers. Nothing is opened before the application's lifespan begins.

    No server is required: what is known is answered without any of them.
    """

    def __init__(self, settings: DataPlaneSettings) -> None:
        self._settings = settings
        self._clock = SystemClock()
        self.metrics = Metrics(Service.DATA_PLANE)
        self._dependencies = Dependencies(self._clock, self.metrics)
        self.health = Health(self._dependencies.all)
        self._heard = StreamCoverage()
        self._stores = Stores(settings, self._dependencies, clock=self._clock, metrics=self.metrics)
        ports = self._stores.ports(self._heard)
        self.core = build_core(ports, settings, clock=self._clock, metrics=self.metrics, notes=self.health.notes)
        self.health.when_draining.append(self.core.watches.drain)
        self._status_log = self._reports()
        # Several worker processes share the instance's name, and an instance that died may have been called the same.
        process = f"{settings.instance_id}-{secrets.token_hex(3)}"
        self._reporter = StatusReporter(self._status_log, self._heard, instance=process, clock=self._clock)
        self._stream = self._kafka()
        health = self._dependencies.health("kafka")
        self._listener = EventListener(self._stream, self.core.applier, health=health, notes=self.health.notes)
        self._access = build_access(settings, clock=self._clock, health=self.health, metrics=self.metrics)
        self.app = self._hot_path()

    def _hot_path(self) -> FastPath:
        settings = self._settings
        pace = Pace(settings.watch_progress_seconds, settings.watch_send_timeout_seconds)
        limits = request_limits_of(settings, settings.request_deadline_seconds)
        app = build_app(
            self.core.resolver,
            self.core.bulk,
            self.core.explainer,
            further=[watch_handler(self.core.watches, self._access.authenticator, pace)],
            access=self._access,
            negative_ttl=settings.negative_ttl_seconds,
            health=self.health,
            metrics=self.metrics,
            lifespan=self.running,
            limits=limits,
        )
        return FastPath(
            app,
            self.core.l1_reader,
            negative_ttl=settings.negative_ttl_seconds,
            authenticator=self._access.authenticator,
            health=self.health,
            metrics=self.metrics,
            limits=limits,
        )

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Open in this order: stores and the primary's time, the last snapshot, the events, what will be asked for, and
        only then serve.

        The snapshot is dated by the host's clock since its boot, and says where the events go on; whether what it holds is
        within its life is for the primary's time to say. What was changed since it was written is applied before anybody is
        served; what cannot be heard in time makes it doubtful. Positions in Kafka are taken before anything is loaded: a
        change after a load is heard, one before it was read. Closing goes the other way: the last snapshot is written when
        events have ended; loads still use the stores, which go last.
        """
        core, settings = self.core, self._settings
        async with AsyncExitStack() as opened:
            await opened.enter_async_context(self._access.running())
            await opened.enter_async_context(self._following_keys())
            await opened.enter_async_context(self._stores.opened(core.replicas))
            await opened.enter_async_context(running(partial(keep_redis_in_step, core.shared), "redis"))
            if core.snapshots:
                self._stream.resume_from(await core.snapshots.read())
                opened.push_async_callback(write_last_snapshot, core.snapshots)
            await opened.enter_async_context(running(self._listener.run, "events"))
            if not await self._listener.wait_caught_up(settings.kafka_start_seconds) and core.snapshots:
                core.snapshots.mark_restored_suspect()
            await opened.enter_async_context(self._reporting())
            opened.push_async_callback(core.resolver.close)
            opened.push_async_callback(core.watches.close)
            if settings.warmup_seconds:
                await core.warm_up.run(settings.warmup_seconds)
            if settings.verifier_interval_seconds:
                checking = partial(keep_checking, core.verifier, settings.verifier_interval_seconds)
                await opened.enter_async_context(running(checking, "self-check"))
            if core.snapshots:
                keeping = partial(keep_snapshots, core.snapshots, settings.snapshot_interval_seconds)
                await opened.enter_async_context(running(keeping, "snapshots"))
            yield

    def _following_keys(self) -> AbstractAsyncContextManager[None]:
        return following(
            self._access,
            self._settings,
            health=self.health,
            clock=self._clock,
            metrics=self.metrics,
            copy=self._settings.key_snapshot_path,
        )

    @asynccontextmanager
    async def _reporting(self) -> AsyncIterator[None]:
        try:
            async with running(self._reporter.run, "status reports"):
                yield
            await self._reporter.withdraw()
        finally:
            await self._status_log.close()

    def _reports(self) -> KafkaStatusLog:
        guard = self._dependencies.guard("status_reports", STATUS_SECONDS, STATUS_FAILURES, at_once=1)
        return KafkaStatusLog(self._settings.kafka_bootstrap, self._settings.instance_id, guard)

    def _kafka(self) -> KafkaEventStream:
        settings, health = self._settings, self._dependencies.health("kafka")
        up = self.metrics.gauge("tm_dependency_up").labels("kafka")
        self.metrics.before_scrape(lambda: up.set(health.up is not False))
        return KafkaEventStream(
            settings.kafka_bootstrap,
            settings.instance_id,
            heard=self._heard,
            clock=self._clock,
            metrics=self.metrics,
            on_changes=self._reporter.note_change,
        )
