"""The composition root: the only place that builds the parts and hands them to each other."""

import asyncio
import contextlib
import secrets
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from functools import partial

from data_plane.adapters import redis
from data_plane.adapters.kafka import KafkaEventStream
from data_plane.adapters.kafka_status import STATUS_FAILURES, KafkaStatusLog
from data_plane.adapters.postgres import POSTGRES_FAILURES, PostgresRouteSource
from data_plane.adapters.postgres_lag import PostgresReplicaLag
from data_plane.adapters.postgres_tenants import TENANT_CONNECTIONS, TENANT_SECONDS, PostgresTenantSource
from data_plane.adapters.redis import REDIS_FAILURES, RedisRouteCache
from data_plane.adapters.snapshot_file import SnapshotFile
from data_plane.domain.heard import Heard
from data_plane.domain.remote_clock import RemoteClock
from data_plane.errors import AnotherTenants, NoSuchTenant, RouteUnknown, TooManyKeys, WatchUnavailable
from data_plane.http.answers import ROUTE_UNKNOWN
from data_plane.http.concealment import another_tenants, hidden_route
from data_plane.http.explain import explain_handler
from data_plane.http.hot_path import HotPath
from data_plane.http.resolve import resolve_handler
from data_plane.http.resolve_many import TOO_MANY_KEYS, resolve_many_handler
from data_plane.http.watch import NO_SUCH_TENANT, WATCH_UNAVAILABLE, watch_handler
from data_plane.http.watch_response import Pace
from data_plane.ports import UsedRoutes
from data_plane.service.core import Ports, build_core
from data_plane.service.explain import Explainer
from data_plane.service.resolve import Resolver
from data_plane.service.resolve_many import BulkResolver
from data_plane.service.status_report import StatusReporter
from data_plane.settings import DataPlaneSettings
from data_plane.worker import (
    EventListener,
    keep_checking,
    keep_primary_time,
    keep_redis_in_step,
    keep_snapshots,
    keep_watching_replica,
    learn_primary_time,
    supervise,
    write_last_snapshot,
)
from shared.runtime import logs, tracing
from shared.runtime.access.assembly import Access, build_access
from shared.runtime.access.feed import following
from shared.runtime.catalogue import Service
from shared.runtime.clock import SystemClock
from shared.runtime.health import DependencyHealth, Health
from shared.runtime.http.application import Handler, Lifespan, build_application
from shared.runtime.http.bounds import Bounds, bounds_of
from shared.runtime.http.context import RequestContext
from shared.runtime.metrics import Metrics
from shared.runtime.resilience import Guard
from shared.runtime.settings import read_settings

CONNECT_SECONDS = 2.0
"""How long a start waits for the databases before it serves without them."""
STATUS_SECONDS = 2.0
"""For one status report, connecting included."""


def create_app() -> HotPath:
    """The application as the server runs it, from the environment."""
    settings = read_settings(DataPlaneSettings)
    logs.configure(
        service=Service.DATA_PLANE,
        instance=settings.instance_id,
        level=settings.log_level,
        log_format=settings.log_format,
    )
    tracing.configure(service=Service.DATA_PLANE, instance=settings.instance_id)
    return Assembly(settings).app


def build_app(
    resolver: Resolver,
    bulk: BulkResolver,
    explainer: Explainer,
    *,
    further: Sequence[Handler] = (),
    access: Access,
    negative_life: float,
    health: Health,
    metrics: Metrics,
    lifespan: Lifespan | None = None,
    bounds: Bounds | None = None,
) -> RequestContext:
    """The ASGI application over any resolver, with `further` handlers, without the layer before it that answers L1 hits."""
    return build_application(
        title="Traffic Manager resolver",
        description="Which URL serves this tenant, service, environment and version, now.",
        handlers=[resolve_handler(resolver), resolve_many_handler(bulk), explain_handler(explainer), *further],
        kinds={
            RouteUnknown: ROUTE_UNKNOWN,
            TooManyKeys: TOO_MANY_KEYS,
            AnotherTenants: hidden_route(negative_life),
            NoSuchTenant: NO_SUCH_TENANT,
            WatchUnavailable: WATCH_UNAVAILABLE,
        },
        health=health,
        metrics=metrics,
        authenticator=access.authenticator,
        absent=another_tenants,
        lifespan=lifespan,
        bounds=bounds,
    )


class Assembly:
    """A resolver instance over real servers. Nothing is opened before the application's lifespan begins.

    No server is required: what is known is answered without any of them.
    """

    def __init__(self, settings: DataPlaneSettings) -> None:
        self._settings = settings
        self._clock = SystemClock()
        self.metrics = Metrics(Service.DATA_PLANE)
        self._dependencies: dict[str, DependencyHealth] = {}
        self.health = Health(self._dependencies)
        self._primary_clock = RemoteClock()
        self._heard = Heard()
        self._cache = self._redis()
        self._replicas = [
            self._database(f"replica-{number}", url, settings.replica_connections)
            for number, url in enumerate(settings.replica_urls, start=1)
        ]
        self._lags = [
            PostgresReplicaLag(each.name, url, primary_clock=self._primary_clock, clock=self._clock)
            for each, url in zip(self._replicas, settings.replica_urls, strict=True)
        ]
        self._primary = (
            self._database("postgres", settings.postgres_url, settings.primary_connections)
            if settings.postgres_url
            else None
        )
        self._tenants = self._tenant_sources()
        knowing: Mapping[str, Sequence[UsedRoutes]] = {"redis": [self._cache], "replica": self._replicas}
        ports = Ports(
            self._cache,
            self._replicas,
            self._primary,
            self._primary_clock,
            self._heard,
            tenants=self._tenants,
            snapshots=SnapshotFile(settings.snapshot_path) if settings.snapshot_path else None,
            knowing=knowing,
        )
        self.core = build_core(ports, settings, clock=self._clock, metrics=self.metrics, notes=self.health.notes)
        self.health.when_draining.append(self.core.watches.drain)
        self._status_log = self._reports()
        # Several worker processes share the instance's name, and an instance that died may have been called the same.
        process = f"{settings.instance_id}-{secrets.token_hex(3)}"
        self._reporter = StatusReporter(self._status_log, self._heard, instance=process, clock=self._clock)
        self._stream = self._kafka()
        self._listener = EventListener(
            self._stream, self.core.applier, health=self._dependency("kafka"), notes=self.health.notes
        )
        self._access = build_access(settings, clock=self._clock, health=self.health, metrics=self.metrics)
        pace = Pace(settings.watch_progress_seconds, settings.watch_slow_seconds)
        bounds = bounds_of(settings, settings.request_deadline_seconds)
        app = build_app(
            self.core.resolver,
            self.core.bulk,
            self.core.explainer,
            further=[watch_handler(self.core.watches, self._access.authenticator, pace)],
            access=self._access,
            negative_life=settings.negative_life_seconds,
            health=self.health,
            metrics=self.metrics,
            lifespan=self.running,
            bounds=bounds,
        )
        self.app = HotPath(
            app,
            self.core.local_answers,
            authenticator=self._access.authenticator,
            health=self.health,
            metrics=self.metrics,
            bounds=bounds,
        )

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Open in this order: databases and the primary's time, the last snapshot, the events, what will be asked for,
        and only then serve.

        The snapshot is dated by the primary's time, and says where the events go on. Positions in Kafka are taken before
        anything is loaded: a change after a load is heard, one before it was read. Closing goes the other way: the last
        snapshot is written when events have ended; loads still use the stores, which go last.
        """
        async with AsyncExitStack() as opened:
            await opened.enter_async_context(self._access.running())
            keys = following(
                self._access,
                self._settings,
                health=self.health,
                clock=self._clock,
                metrics=self.metrics,
                copy=self._settings.access_copy,
            )
            await opened.enter_async_context(keys)
            opened.push_async_callback(self._cache.close)
            await self._open_databases(opened)
            await opened.enter_async_context(_running(partial(keep_redis_in_step, self.core.shared), "redis"))
            if self.core.snapshots:
                self._stream.resume_from(await self.core.snapshots.read())
                opened.push_async_callback(write_last_snapshot, self.core.snapshots)
            await opened.enter_async_context(_running(self._listener.run, "events"))
            await self._listener.wait_listening(self._settings.kafka_start_seconds)
            await opened.enter_async_context(self._reporting())
            opened.push_async_callback(self.core.resolver.close)
            opened.push_async_callback(self.core.watches.close)
            if self._settings.warmup_seconds:
                await self.core.warm_up.run(self._settings.warmup_seconds)
            if self._settings.selfcheck_seconds:
                checking = partial(keep_checking, self.core.selfcheck, self._settings.selfcheck_seconds)
                await opened.enter_async_context(_running(checking, "self-check"))
            if self.core.snapshots:
                keeping = partial(keep_snapshots, self.core.snapshots, self._settings.snapshot_interval_seconds)
                await opened.enter_async_context(_running(keeping, "snapshots"))
            yield

    @asynccontextmanager
    async def _reporting(self) -> AsyncIterator[None]:
        try:
            async with _running(self._reporter.run, "status reports"):
                yield
            await self._reporter.withdraw()
        finally:
            await self._status_log.close()

    async def _open_databases(self, opened: AsyncExitStack) -> None:
        databases = [*self._replicas, *([self._primary] if self._primary else [])]
        for database in databases:
            await opened.enter_async_context(_running(database.keep_open, database.name))
        for tenants in self._tenants:
            await opened.enter_async_context(_running(tenants.keep_open, tenants.name))
        for shown in self._lags:
            await opened.enter_async_context(_running(shown.keep_open, shown.name))
            watching = partial(keep_watching_replica, shown, self.core.replicas)
            await opened.enter_async_context(_running(watching, f"lag of {shown.name}"))
        async with asyncio.TaskGroup() as waiting:
            for database in databases:
                waiting.create_task(database.wait_connected(CONNECT_SECONDS))
        if self._primary:
            await learn_primary_time(self._primary, self._primary_clock, self._clock)
            telling = partial(keep_primary_time, self._primary, self._primary_clock, self._clock)
            await opened.enter_async_context(_running(telling, "primary time"))

    def _dependency(self, name: str) -> DependencyHealth:
        return self._dependencies.setdefault(name, DependencyHealth(required=False))

    def _guard(self, name: str, timeout: float, failures: tuple[type[Exception], ...], at_once: int) -> Guard:
        return Guard(
            name,
            timeout=timeout,
            failures=failures,
            clock=self._clock,
            health=self._dependency(name),
            metrics=self.metrics,
            at_once=at_once,
        )

    def _redis(self) -> RedisRouteCache:
        timeout = self._settings.redis_timeout_seconds
        return RedisRouteCache(
            redis.connect(self._settings.redis_url, timeout),
            guard=self._guard("redis", timeout, REDIS_FAILURES, at_once=64),
            clock=self._clock,
            metrics=self.metrics,
            keep_seconds=self._settings.max_stale_seconds,
        )

    def _database(self, name: str, url: str, connections: int) -> PostgresRouteSource:
        return PostgresRouteSource(
            name,
            url,
            connections=connections,
            guard=self._guard(name, self._settings.database_timeout_seconds, POSTGRES_FAILURES, connections),
            health=self._dependency(name),
            primary_clock=self._primary_clock,
            clock=self._clock,
            metrics=self.metrics,
        )

    def _reports(self) -> KafkaStatusLog:
        guard = self._guard("status_reports", STATUS_SECONDS, STATUS_FAILURES, at_once=1)
        return KafkaStatusLog(self._settings.kafka_bootstrap, self._settings.instance_id, guard)

    def _tenant_sources(self) -> list[PostgresTenantSource]:
        """The same servers as for resolving, on connections of their own."""
        settings = self._settings
        urls = {f"watch-replica-{number}": url for number, url in enumerate(settings.replica_urls, start=1)}
        if settings.postgres_url:
            urls["watch-postgres"] = settings.postgres_url
        return [self._tenant_source(name, url) for name, url in urls.items()]

    def _tenant_source(self, name: str, url: str) -> PostgresTenantSource:
        guard = self._guard(name, TENANT_SECONDS, POSTGRES_FAILURES, TENANT_CONNECTIONS)
        return PostgresTenantSource(name, url, guard=guard, health=self._dependency(name), clock=self._clock)

    def _kafka(self) -> KafkaEventStream:
        settings, health = self._settings, self._dependency("kafka")
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


@asynccontextmanager
async def _running(work: Callable[[], Awaitable[None]], name: str) -> AsyncIterator[None]:
    task = asyncio.create_task(supervise(work, name))
    try:
        yield
    finally:
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task
