"""The background half of the control plane: the outbox relay, the watches, and the access keys."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import structlog

from control_plane.service.key_refresh import KeyRefresh
from control_plane.service.outbox_monitor import OutboxMonitor
from control_plane.service.relay import Relay
from control_plane.service.resolver_monitor import ResolverMonitor

_log = structlog.get_logger(__name__)


@asynccontextmanager
async def refreshing(keys: KeyRefresh) -> AsyncIterator[None]:
    """The access keys are kept up to date while the block runs."""
    async with asyncio.TaskGroup() as tasks:
        task = tasks.create_task(keys.run(), name="access keys")
        try:
            yield
        finally:
            task.cancel()


@asynccontextmanager
async def running(relay: Relay, watch: OutboxMonitor, *, stop_seconds: float) -> AsyncIterator[None]:
    """Both run while the block does. At its end the relay finishes what it has begun, within `stop_seconds`."""
    async with asyncio.TaskGroup() as tasks:
        relaying = tasks.create_task(relay.run(), name="outbox relay")
        watching = tasks.create_task(watch.run(), name="backlog watch")
        yield
        watching.cancel()
        relay.stop()
        _, unfinished = await asyncio.wait([relaying], timeout=stop_seconds)
        if unfinished:
            _log.warning("the outbox relay did not finish in time; another process goes on", seconds=stop_seconds)
            relaying.cancel()


@asynccontextmanager
async def watching(fleet: ResolverMonitor) -> AsyncIterator[None]:
    """The resolvers' reports are heard while the block runs."""
    async with asyncio.TaskGroup() as tasks:
        task = tasks.create_task(fleet.run(), name="fleet watch")
        try:
            yield
        finally:
            task.cancel()
