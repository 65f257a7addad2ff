"""Empties every cache of the local stack, so that the demo can show each layer fill from the one below."""

import asyncio

from redis.asyncio import Redis

from deploy.local.services import Services
from deploy.local.settings import DEFAULT_STATE
from deploy.local.stack import open_stack


async def empty_every_cache() -> None:
    """Stop the resolvers, delete their entries from Redis, and start them again."""
    stack = open_stack(DEFAULT_STATE)
    resolvers = Services(stack, DEFAULT_STATE).data_planes
    async with asyncio.TaskGroup() as stopping:
        for each in resolvers:
            stopping.create_task(each.stop())
    async with Redis.from_url(stack.urls.redis) as redis:
        async for key in redis.scan_iter("route:*", count=1000):
            await redis.delete(key)
    async with asyncio.TaskGroup() as starting:
        for each in resolvers:
            starting.create_task(each.start())
