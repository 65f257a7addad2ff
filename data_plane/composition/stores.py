"""Redis, PostgreSQL and the snapshot file: built from the settings, and opened together."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from functools import partial
from typing import Protocol

from data_plane.adapters.postgres.replica_lag import PostgresReplicaLag
from data_plane.adapters.postgres.route_source import POSTGRES_FAILURES, PostgresRouteSource
from data_plane.adapters.postgres.tenant_source import TENANT_CONNECTIONS, TENANT_SECONDS, PostgresTenantSource
from data_plane.adapters.redis import route_cache as redis
from data_plane.adapters.redis.route_cache import REDIS_FAILURES, RedisRouteCache
from data_plane.adapters.redis.zone_replica import ZoneReplica
from data_plane.adapters.snapshot.file import SnapshotFile
from data_plane.composition.dependencies import Dependencies
from data_plane.domain.remote_clock import PrimaryClock
from data_plane.domain.stream_coverage import StreamCoverage
from data_plane.http.sse.framing import snapshot_event
from data_plane.service.core import Ports
from data_plane.service.loading.replica_pool import ReplicaPool
from data_plane.settings import DataPlaneSettings
from data_plane.worker.periodic import keep_primary_time, keep_replica_lag, learn_primary_time
from shared.runtime.background import in_background
from shared.runtime.clock import Clock
from shared.runtime.metrics import Metrics

CONNECT_SECONDS = 2.0
"""Longest wait for the databases on start; the process then serves without them."""


class _ConnectionHolder(Protocol):
    @property
    def name(self) -> str: ...

    async def keep_open(self) -> None: ...


class Stores:
    """The adapters behind the cache, source and snapshot ports. Every server is optional."""

    def __init__(
        self, settings: DataPlaneSettings, dependencies: Dependencies, *, clock: Clock, metrics: Metrics
    ) -> None:
        self._settings = settings
        self._dependencies = dependencies
        self._clock = clock
        self._metrics = metrics
        self._primary_clock = PrimaryClock()
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
        self._lags = [
            PostgresReplicaLag(each.name, url, primary_clock=self._primary_clock, clock=clock)
            for each, url in zip(self._replicas, settings.replica_urls, strict=True)
        ]
        self._tenants = self._tenant_sources()

    def ports(self, coverage: StreamCoverage) -> Ports:
        """The adapters as ports of the core. The event stream keeps `coverage` up to date."""
        settings = self._settings
        return Ports(
            self._cache,
            self._replicas,
            self._primary,
            self._primary_clock,
            coverage,
            tenants=self._tenants,
            encode_snapshot=snapshot_event,
            local_replicas={
                each.name
                for each, zone in zip(self._replicas, settings.replica_zones, strict=False)
                if zone == settings.zone
            },
            snapshots=SnapshotFile(settings.snapshot_path) if settings.snapshot_path else None,
            hot_key_sources={"redis": [self._cache], "replica": self._replicas},
        )

    @asynccontextmanager
    async def opened(self, replicas: ReplicaPool) -> AsyncIterator[None]:
        """Keep the connections open, observe each replica's lag for `replicas`, and keep the primary's time.

        Servers that do not answer within CONNECT_SECONDS are tried again in the background.
        """
        async with AsyncExitStack() as opened:
            opened.push_async_callback(self._cache.close)
            stores: Sequence[_ConnectionHolder] = (*self._databases, *self._tenants, *self._lags)
            for store in stores:
                await opened.enter_async_context(in_background(store.keep_open, store.name))
            for lag in self._lags:
                observing = partial(keep_replica_lag, lag, replicas)
                await opened.enter_async_context(in_background(observing, f"lag of {lag.name}"))
            async with asyncio.TaskGroup() as waiting:
                for database in self._databases:
                    waiting.create_task(database.wait_connected(CONNECT_SECONDS))
            if self._primary:
                await learn_primary_time(self._primary, self._primary_clock, self._clock)
                keeping_time = partial(keep_primary_time, self._primary, self._primary_clock, self._clock)
                await opened.enter_async_context(in_background(keeping_time, "primary time"))
            yield

    @property
    def _databases(self) -> Sequence[PostgresRouteSource]:
        return [*self._replicas, *([self._primary] if self._primary else [])]

    def _redis(self) -> RedisRouteCache:
        timeout = self._settings.redis_timeout_seconds
        return RedisRouteCache(
            redis.connect(self._settings.redis_url, timeout),
            guard=self._dependencies.guard("redis", timeout, REDIS_FAILURES, at_once=64),
            clock=self._clock,
            metrics=self._metrics,
            keep_seconds=self._settings.stale_if_error_seconds,
            zone_replica=self._redis_zone_replica(),
        )

    def _redis_zone_replica(self) -> ZoneReplica | None:
        url, timeout = self._settings.redis_zone_replica_url, self._settings.redis_timeout_seconds
        if url is None:
            return None
        guard = self._dependencies.guard("redis-replica", timeout, REDIS_FAILURES, at_once=64)
        return ZoneReplica(redis.connect(url, timeout), guard)

    def _database(self, name: str, url: str, connections: int) -> PostgresRouteSource:
        timeout = self._settings.database_timeout_seconds
        return PostgresRouteSource(
            name,
            url,
            connections=connections,
            guard=self._dependencies.guard(name, timeout, POSTGRES_FAILURES, connections),
            health=self._dependencies.health(name),
            primary_clock=self._primary_clock,
            clock=self._clock,
            metrics=self._metrics,
        )

    def _tenant_sources(self) -> list[PostgresTenantSource]:
        """Sources for watches: the servers that resolving uses, on separate connections."""
        urls = {f"watch-replica-{number}": url for number, url in enumerate(self._settings.replica_urls, start=1)}
        if self._settings.postgres_url:
            urls["watch-postgres"] = self._settings.postgres_url
        return [self._tenant_source(name, url) for name, url in urls.items()]

    def _tenant_source(self, name: str, url: str) -> PostgresTenantSource:
        guard = self._dependencies.guard(name, TENANT_SECONDS, POSTGRES_FAILURES, TENANT_CONNECTIONS)
        return PostgresTenantSource(name, url, guard=guard, health=self._dependencies.health(name), clock=self._clock)
