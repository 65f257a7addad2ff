"""The fast path over an L1 with a given number of routes, on the same server as the services: is it slower if L1 is large?

`TM_BENCH_ROUTES=1000000 TM_BENCH_KEY=tm_… python -m bench.full_cache`. No other part of the resolver runs.
"""

import asyncio
import gc
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from pydantic import Field

from bench.held import FullCache
from data_plane.http.fast_path.middleware import FastPath
from shared.runtime.access.tokens import AccessKey
from shared.runtime.http.application import build_application
from shared.runtime.server import serve
from shared.runtime.service import Service
from shared.runtime.settings import ServiceSettings, read_settings

HEARTBEAT_SECONDS = 2.0


class FullCacheSettings(ServiceSettings):
    """The number of routes in L1."""

    bench_routes: int = Field(default=1000, ge=1, description="Routes in the cache.")
    bench_key: str = Field(description="The access key that is accepted.")


def create_application() -> FastPath:
    """The factory that the server calls."""
    settings = read_settings(FullCacheSettings)
    full = FullCache(settings.bench_routes, AccessKey.parse(settings.bench_key))

    @asynccontextmanager
    async def filling() -> AsyncIterator[None]:
        task = asyncio.create_task(_fill(full))
        yield
        task.cancel()

    probes = build_application(
        title="",
        description="",
        handlers=[],
        problem_types={},
        health=full.health,
        metrics=full.metrics,
        authenticator=full.authenticator,
        lifespan=filling,
    )
    gc.freeze()  # as `data_plane.composition.app` does
    return full.behind(probes)


async def _fill(full: FullCache) -> None:
    """In order, so that the last route is found only when all are stored; a server must respond within 30 seconds."""
    for number in full.filling():
        if number % 1000 == 0:
            await asyncio.sleep(0)
    while True:
        full.apply_heartbeat()
        await asyncio.sleep(HEARTBEAT_SECONDS)


if __name__ == "__main__":
    serve("bench.full_cache:create_application", Service.DATA_PLANE, read_settings(FullCacheSettings))
