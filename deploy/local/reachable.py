"""Whether a server that someone else runs answers; each raises what its driver raises when it does not."""

from typing import Any

import asyncpg
from pymongo import AsyncMongoClient

from deploy.local.kafka.topics import create_missing_topics

_SECONDS = 5.0


async def postgres(url: str) -> None:
    """A connection can be opened."""
    connection = await asyncpg.connect(url, timeout=_SECONDS)
    await connection.close(timeout=_SECONDS)


async def redis(url: str) -> None:
    """PING is answered."""
    from redis.asyncio import Redis  # takes long to import and is needed for servers elsewhere only

    async with Redis.from_url(url, socket_timeout=_SECONDS, socket_connect_timeout=_SECONDS) as client:
        await client.ping()


async def kafka(bootstrap: str) -> None:
    """The cluster answers; the product's topics are created where they are missing."""
    await create_missing_topics(bootstrap)


async def mongo(url: str) -> None:
    """A primary answers."""
    async with AsyncMongoClient[dict[str, Any]](url, serverSelectionTimeoutMS=int(_SECONDS * 1_000)) as client:
        await client.admin.command("ping")
