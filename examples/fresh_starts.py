"""Starts the resolvers of the local stack again: with nothing cached anywhere, or with what they knew."""

import asyncio

from redis.asyncio import Redis

from deploy.local.services import Services
from deploy.local.settings import DEFAULT_STATE
from deploy.local.stack import Stack, open_stack
from deploy.local.state import StateDirectory

NOT_AHEAD = {"TM_WARMUP_SECONDS": "0"}
"""Read nothing before the first request."""


async def start_with_empty_caches() -> None:
    """Stop the resolvers, delete what they keep in Redis and on disk, and start them without reading ahead."""
    stack = open_stack(DEFAULT_STATE)
    resolvers = Services(stack, DEFAULT_STATE, NOT_AHEAD)
    await _stop(resolvers)
    await _delete_routes(stack)
    for each in resolvers.data_planes:
        StateDirectory(DEFAULT_STATE).snapshot(each.name).unlink(missing_ok=True)
    await _start(resolvers)


async def start_again() -> None:
    """Stop the resolvers, and start them as `make up` does."""
    resolvers = Services(open_stack(DEFAULT_STATE), DEFAULT_STATE)
    await _stop(resolvers)
    await _start(resolvers)


async def _stop(services: Services) -> None:
    async with asyncio.TaskGroup() as stopping:
        for each in services.data_planes:
            stopping.create_task(each.stop())


async def _start(services: Services) -> None:
    async with asyncio.TaskGroup() as starting:
        for each in services.data_planes:
            starting.create_task(each.start())


async def _delete_routes(stack: Stack) -> None:
    async with Redis.from_url(stack.urls.redis) as redis:
        async for key in redis.scan_iter("route:*", count=1000):
            await redis.delete(key)
