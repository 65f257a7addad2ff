"""Checks that external servers answer. Each raises its driver's error when the server does not."""

from typing import Any

import asyncpg
from pymongo import AsyncMongoClient

from deploy.local.kafka.topics import create_missing_topics

_SECONDS = 5.0


async def postgres(url: str) -> None:
    """Open a connection."""
    connection = await asyncpg.connect(url, timeout=_SECONDS)
    await connection.close(timeout=_SECONDS)


async def redis(url: str) -> None:
    """Send PING."""
    from redis.asyncio import Redis  # a slow import that only external servers need

    async with Redis.from_url(url, socket_timeout=_SECONDS, socket_connect_timeout=_SECONDS) as client:
        await client.ping()


async def kafka(bootstrap: str) -> None:
    """Connect to the cluster, and create the product's missing topics."""
    await create_missing_topics(bootstrap)


async def mongo(url: str) -> None:
    """Send a ping to the primary."""
    async with AsyncMongoClient[dict[str, Any]](url, serverSelectionTimeoutMS=int(_SECONDS * 1_000)) as client:
        await client.admin.command("ping")
