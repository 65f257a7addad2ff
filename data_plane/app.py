"""The composition root: the only place that builds the parts and hands them to each other."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from functools import partial

from data_plane.adapters import redis
from data_plane.adapters.kafka import KafkaEventStream
from data_plane.adapters.postgres import POSTGRES_FAILURES, PostgresRouteSource
from data_plane.adapters.redis import REDIS_FAILURES, RedisRouteCache
from data_plane.domain.heard import Heard
from data_plane.domain.remote_clock import RemoteClock
from data_plane.errors import AnotherTenants, RouteUnknown, TooManyKeys
from data_plane.http.answers import ROUTE_UNKNOWN
from data_plane.http.concealment import another_tenants, hidden_route
from data_plane.http.explain import explain_handler
from data_plane.http.hot_path import HotPath
from data_plane.http.resolve import resolve_handler
from data_plane.http.resolve_many import TOO_MANY_KEYS, resolve_many_handler
from data_plane.service.core import Ports, build_core
from data_plane.service.explain import Explainer
from data_plane.service.resolve import Resolver
from data_plane.service.resolve_many import BulkResolver
from data_plane.settings import DataPlaneSettings
from data_plane.worker import EventListener, keep_checking, keep_primary_time, keep_redis_in_step, supervise
from shared.runtime import logs, tracing
from shared.runtime.access.assembly import Access, build_access
from shared.runtime.access.feed import following
from shared.runtime.catalogue import Service
from shared.runtime.clock import SystemClock
from shared.runtime.health import DependencyHealth, Health
from shared.runtime.http.application import Lifespan, build_application
from shared.runtime.http.bounds import Bounds, bounds_of
from shared.runtime.http.context import RequestContext
from shared.runtime.metrics import Metrics
from shared.runtime.resilience import Guard
from shared.runtime.settings import read_settings

CONNECT_SECONDS = 2.0
"""How long a start waits for the databases before it serves without them."""


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
    access: Access,
    negative_life: float,
    health: Health,
    metrics: Metrics,
    lifespan: Lifespan | None = None,
    bounds: Bounds | None = None,
) -> RequestContext:
    """The ASGI application over any resolver, without the layer before it that answers L1 hits."""
    return build_application(
        title="Traffic Manager resolver",
        description="Which URL serves this tenant, service, environment and version, now.",
        handlers=[resolve_handler(resolver), resolve_many_handler(bulk), explain_handler(explainer)],
        kinds={
            RouteUnknown: ROUTE_UNKNOWN,
            TooManyKeys: TOO_MANY_KEYS,
            AnotherTenants: hidden_route(negative_life),
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
        self._primary = (
            self._database("postgres", settings.postgres_url, settings.primary_connections)
            if settings.postgres_url
            else None
        )
        ports = Ports(self._cache, self._replicas, self._primary, self._primary_clock, self._heard)
        self.core = build_core(ports, settings, clock=self._clock, metrics=self.metrics, notes=self.health.notes)
        self._listener = self._kafka()
        self._access = build_access(settings, clock=self._clock, health=self.health, metrics=self.metrics)
        bounds = bounds_of(settings, settings.request_deadline_seconds)
        app = build_app(
            self.core.resolver,
            self.core.bulk,
            self.core.explainer,
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
        """Open in this order: databases and the primary's time, then the events, and only then serve.

        Positions in Kafka are taken before anything is loaded: a change after a load is heard, one before it was read.
        Closing goes the other way: loads still use the stores, which go last.
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
            databases = [*self._replicas, *([self._primary] if self._primary else [])]
            for database in databases:
                await opened.enter_async_context(_running(database.keep_open, database.name))
            async with asyncio.TaskGroup() as waiting:
                for database in databases:
                    waiting.create_task(database.wait_connected(CONNECT_SECONDS))
            if self._primary:
                telling = partial(keep_primary_time, self._primary, self._primary_clock, self._clock)
                await opened.enter_async_context(_running(telling, "primary time"))
            await opened.enter_async_context(_running(partial(keep_redis_in_step, self.core.shared), "redis"))
            await opened.enter_async_context(_running(self._listener.run, "events"))
            await self._listener.wait_listening(self._settings.kafka_start_seconds)
            opened.push_async_callback(self.core.resolver.close)
            if self._settings.selfcheck_seconds:
                checking = partial(keep_checking, self.core.selfcheck, self._settings.selfcheck_seconds)
                await opened.enter_async_context(_running(checking, "self-check"))
            yield

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

    def _kafka(self) -> EventListener:
        settings, health = self._settings, self._dependency("kafka")
        stream = KafkaEventStream(
            settings.kafka_bootstrap, settings.instance_id, heard=self._heard, clock=self._clock, metrics=self.metrics
        )
        up = self.metrics.gauge("tm_dependency_up").labels("kafka")
        self.metrics.before_scrape(lambda: up.set(health.up is not False))
        return EventListener(stream, self.core.applier, health=health, notes=self.health.notes)


@asynccontextmanager
async def _running(work: Callable[[], Awaitable[None]], name: str) -> AsyncIterator[None]:
    task = asyncio.create_task(supervise(work, name))
    try:
        yield
    finally:
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task
