"""Restarts the resolvers of the local stack, with empty caches or with their snapshots."""

import asyncio

from redis.asyncio import Redis

from deploy.local.services import Services
from deploy.local.settings import DEFAULT_STATE
from deploy.local.stack import Stack, open_stack
from deploy.local.state import StateDirectory

WITHOUT_WARM_UP = {"TM_WARMUP_SECONDS": "0"}


async def restart_with_empty_caches() -> None:
    """Stop the resolvers, delete their entries in Redis and their snapshots, and start them without a warm-up."""
    stack = open_stack(DEFAULT_STATE)
    services = Services(stack, DEFAULT_STATE, WITHOUT_WARM_UP)
    await _stop(services)
    await _delete_entries(stack)
    for resolver in services.data_planes:
        StateDirectory(DEFAULT_STATE).snapshot(resolver.name).unlink(missing_ok=True)
    await _start(services)


async def restart() -> None:
    """Stop the resolvers, and start them as `make up` does."""
    services = Services(open_stack(DEFAULT_STATE), DEFAULT_STATE)
    await _stop(services)
    await _start(services)


async def _stop(services: Services) -> None:
    async with asyncio.TaskGroup() as stopping:
        for resolver in services.data_planes:
            stopping.create_task(resolver.stop())


async def _start(services: Services) -> None:
    async with asyncio.TaskGroup() as starting:
        for resolver in services.data_planes:
            starting.create_task(resolver.start())


async def _delete_entries(stack: Stack) -> None:
    async with Redis.from_url(stack.urls.redis) as redis:
        async for key in redis.scan_iter("route:*", count=1000):
            await redis.delete(key)
