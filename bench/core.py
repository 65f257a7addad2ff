"""The resolver without HTTP, on real servers: L1 misses by the layer that answers, and bulk requests."""

import asyncio
import gc
import itertools
import time
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import asynccontextmanager

from bench import seeded
from data_plane.composition.connect import connect
from data_plane.service.core import Core
from data_plane.settings import DataPlaneSettings
from shared.schemas.identity import RouteKey
from tests.support.active_values import url_of

IN_FLIGHT = 64
NO_REDIS = "redis://127.0.0.1:1/0"
"""No server listens there: the circuit breaker opens, and Redis is not read."""


async def fill_redis(environment: Mapping[str, str], routes: int) -> None:
    """Resolve all routes in one instance, which stores them in Redis."""
    async with _running(environment, l1_entries=routes) as warming:
        await _resolve_all(warming, map(seeded.key, range(routes)))


async def redis_hits(environment: Mapping[str, str], routes: int) -> float:
    """Resolves per second from Redis in a new instance, 64 at a time. Call `fill_redis` first."""
    async with _running(environment, l1_entries=routes) as core:
        # The first ones open the connections.
        await _resolve_all(core, map(seeded.key, range(1000)))
        return await _rate(core, list(map(seeded.key, range(1000, routes))))


async def replica_reads(environment: Mapping[str, str], routes: int) -> float:
    """Resolves per second of keys that no cache holds, 64 at a time."""
    async with _running({**environment, "redis_url": NO_REDIS}, l1_entries=routes) as core:
        # The breaker opens, and connections prepare their statement.
        await _resolve_all(core, map(seeded.key, range(1000)))
        return await _rate(core, list(map(seeded.key, range(1000, routes))))


async def many_keys(environment: Mapping[str, str], routes: int, rounds: int) -> float:
    """Keys per second from L1 in bulk requests of a thousand keys."""
    async with _running(environment, l1_entries=routes) as core:
        await _resolve_all(core, map(seeded.key, range(routes)))
        texts = [[str(seeded.key(number)) for number in range(first, first + 1000)] for first in range(0, routes, 1000)]
        calls = list(itertools.islice(itertools.cycle(texts), rounds))
        started = time.perf_counter()
        for keys in calls:
            await core.bulk.resolve(keys)
        return 1000 * rounds / (time.perf_counter() - started)


@asynccontextmanager
async def _running(environment: Mapping[str, str], **settings: object) -> AsyncIterator[Core]:
    """The core of an instance, with its connections open."""
    values = {"access": "off", "warmup_seconds": 0, **environment, **settings}
    process = connect(DataPlaneSettings.model_validate(values))
    async with process.running():
        gc.collect()
        gc.freeze()  # as `data_plane.composition.app` does
        yield process.core


async def _rate(core: Core, keys: list[RouteKey]) -> float:
    started = time.perf_counter()
    await _resolve_all(core, iter(keys))
    return len(keys) / (time.perf_counter() - started)


async def _resolve_all(core: Core, keys: Iterator[RouteKey]) -> None:
    async def one_after_another() -> None:
        for key in keys:
            answer = await core.resolver.resolve(key)
            if url_of(answer.entry) is None or answer.stale:
                raise RuntimeError(f"{key} has an unexpected answer: {answer}")

    async with asyncio.TaskGroup() as group:
        for _ in range(IN_FLIGHT):
            group.create_task(one_after_another())
