"""Which routes were asked for lately, as far as Redis can tell: it knows for how long each key has been idle."""

import heapq
from collections.abc import Sequence
from typing import Any

from redis.asyncio import Redis

from shared.runtime.resilience import Guard
from shared.schemas.identity import RouteKey
from shared.schemas.validation import InvalidInput

PAGE = 1000
PAGE_SECONDS = 0.25
MOST_LOOKED_AT = 100_000
"""Of a larger cache, some: SCAN goes through it in an order that has nothing to do with use."""
_PREFIX = b"route:"


async def used_routes(client: Redis, guard: Guard, most: int) -> Sequence[RouteKey]:
    """Those that were read or written last, at most so many. Raises DependencyUnavailable."""
    idle: dict[bytes, int] = {}
    cursor = 0
    while len(idle) < MOST_LOOKED_AT:
        async with guard.call(within=PAGE_SECONDS):
            cursor, names = await client.scan(cursor, match=_PREFIX + b"*", count=PAGE)
            idle.update(await _idle(client, names))
        if cursor == 0:
            break
    latest = heapq.nsmallest(most, idle.items(), key=lambda each: each[1])
    return [key for name, _ in latest if (key := _key(name)) is not None]


async def _idle(client: Redis, names: Sequence[Any]) -> dict[bytes, int]:
    async with client.pipeline(transaction=False) as pipeline:
        for name in names:
            pipeline.object("IDLETIME", name)
        seconds: list[Any] = await pipeline.execute(raise_on_error=False)
    # Gone meanwhile, or not known under the server's eviction policy: then any is as good as another.
    return {name: idle if isinstance(idle, int) else 0 for name, idle in zip(names, seconds, strict=True)}


def _key(name: bytes) -> RouteKey | None:
    try:
        return RouteKey.parse(name.removeprefix(_PREFIX).decode(errors="replace"))
    except InvalidInput:
        return None
