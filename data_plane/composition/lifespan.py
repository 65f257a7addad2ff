"""The order in which a resolver process opens its parts, and closes them in reverse."""

from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from functools import partial

from data_plane.adapters.kafka.event_stream import KafkaEventStream
from data_plane.adapters.kafka.status_log import KafkaStatusLog
from data_plane.composition.stores import Stores
from data_plane.service.core import Core
from data_plane.service.events.status_reporter import StatusReporter
from data_plane.settings import DataPlaneSettings
from data_plane.worker.event_listener import EventListener
from data_plane.worker.periodic import keep_redis_in_step, keep_snapshots, keep_verifying, write_last_snapshot
from shared.runtime.access.assembly import Access
from shared.runtime.background import in_background


@dataclass(frozen=True, slots=True)
class EventIntake:
    """The event stream, the listener that applies it, and the reports on how far it was applied."""

    stream: KafkaEventStream
    listener: EventListener
    reporter: StatusReporter
    status_log: KafkaStatusLog


class ResolverLifespan:
    """Opens access keys, stores, the last snapshot, events and warm-up, in this order, before the first request."""

    def __init__(
        self,
        core: Core,
        settings: DataPlaneSettings,
        *,
        access: Access,
        follow_keys: Callable[[], AbstractAsyncContextManager[None]],
        stores: Stores,
        events: EventIntake,
    ) -> None:
        self._core = core
        self._settings = settings
        self._access = access
        self._follow_keys = follow_keys
        self._stores = stores
        self._events = events

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Everything is open inside the block.

        - Stores come before the snapshot: its entries are dated by the host's clock since boot, and only the primary's
          time decides whether they are within their TTL.
        - The snapshot comes before the events: it holds the offsets to resume from.
        - Events are caught up before requests are served, so that no entry of the snapshot is older than a change that
          Kafka has. When they cannot be in time, the restored entries are marked suspect.
        - Kafka positions are taken before warm-up loads routes: a change after a load arrives as an event.

        On closing, the last snapshot is written after events have ended, and loads end before the stores that they use.
        """
        async with AsyncExitStack() as opened:
            await opened.enter_async_context(self._access.running())
            await opened.enter_async_context(self._follow_keys())
            await opened.enter_async_context(self._stores.opened(self._core.replicas))
            await opened.enter_async_context(in_background(partial(keep_redis_in_step, self._core.l2), "redis"))
            await opened.enter_async_context(self._applying_events())
            await opened.enter_async_context(self._reporting())
            opened.push_async_callback(self._core.resolver.close)
            opened.push_async_callback(self._core.watch_hub.close)
            await self._warm_up()
            await opened.enter_async_context(self._background_work())
            yield

    @asynccontextmanager
    async def _applying_events(self) -> AsyncIterator[None]:
        snapshots, listener = self._core.snapshots, self._events.listener
        async with AsyncExitStack() as opened:
            if snapshots:
                self._events.stream.resume_from(await snapshots.read())
                opened.push_async_callback(write_last_snapshot, snapshots)
            await opened.enter_async_context(in_background(listener.run, "events", backoff=listener.backoff))
            is_caught_up = await listener.wait_caught_up(self._settings.kafka_start_seconds)
            if snapshots and not is_caught_up:
                snapshots.mark_restored_suspect()
            yield

    @asynccontextmanager
    async def _reporting(self) -> AsyncIterator[None]:
        try:
            async with in_background(self._events.reporter.run, "status reports"):
                yield
            await self._events.reporter.withdraw()
        finally:
            await self._events.status_log.close()

    async def _warm_up(self) -> None:
        if self._settings.warmup_seconds:
            await self._core.warm_up.run(self._settings.warmup_seconds)

    @asynccontextmanager
    async def _background_work(self) -> AsyncIterator[None]:
        """The cache verifier and periodic snapshots, each where the settings turn it on."""
        core, settings = self._core, self._settings
        async with AsyncExitStack() as opened:
            if settings.verifier_interval_seconds:
                verifying = partial(keep_verifying, core.verifier, settings.verifier_interval_seconds)
                await opened.enter_async_context(in_background(verifying, "cache verifier"))
            if core.snapshots:
                keeping = partial(keep_snapshots, core.snapshots, settings.snapshot_interval_seconds)
                await opened.enter_async_context(in_background(keeping, "snapshots"))
            yield
