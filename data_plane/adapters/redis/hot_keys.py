"""The most recently used routes in Redis, by the idle time of each key."""

import heapq
from collections.abc import Sequence
from typing import Any

from redis.asyncio import Redis

from data_plane.domain.route_encoding import STORED_FORMAT
from shared.runtime.resilience import Guard
from shared.schemas.identity import RouteKey
from shared.schemas.validation import InvalidInput

PAGE = 1000
PAGE_SECONDS = 0.25
MAX_SCANNED = 100_000
"""Keys read from a larger cache: a sample, because the order of SCAN is independent of use."""
PREFIX = b"route:" if STORED_FORMAT == 1 else b"route%d:" % STORED_FORMAT
"""Of the names of all keys. Each format has its own, so that releases with different formats share a Redis."""


async def recently_used(client: Redis, guard: Guard, limit: int) -> Sequence[RouteKey]:
    """The routes read or written last, at most `limit`. Raises DependencyUnavailable."""
    idle: dict[bytes, int] = {}
    cursor = 0
    while len(idle) < MAX_SCANNED:
        async with guard.call(within=PAGE_SECONDS):
            cursor, names = await client.scan(cursor, match=PREFIX + b"*", count=PAGE)
            idle.update(await _idle(client, names))
        if cursor == 0:
            break
    last_used = heapq.nsmallest(limit, idle.items(), key=lambda each: each[1])
    return [key for name, _ in last_used if (key := _key(name)) is not None]


async def _idle(client: Redis, names: Sequence[Any]) -> dict[bytes, int]:
    async with client.pipeline(transaction=False) as pipeline:
        for name in names:
            pipeline.object("IDLETIME", name)
        seconds: list[Any] = await pipeline.execute(raise_on_error=False)
    # No idle time: the key expired meanwhile, or the server's eviction policy does not track it.
    return {name: idle if isinstance(idle, int) else 0 for name, idle in zip(names, seconds, strict=True)}


def _key(name: bytes) -> RouteKey | None:
    try:
        return RouteKey.parse(name.removeprefix(PREFIX).decode(errors="replace"))
    except InvalidInput:
        return None
