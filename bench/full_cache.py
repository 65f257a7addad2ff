"""The hot path over a cache that holds so many routes, served as the services are: does the number matter?

`TM_BENCH_ROUTES=1000000 python -m bench.full_cache`. Nothing else of the resolver runs.
"""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from pydantic import Field

from bench.held import FullCache
from data_plane.http.hot_path import HotPath
from shared.runtime.catalogue import Service
from shared.runtime.http.application import build_application
from shared.runtime.server import serve
from shared.runtime.settings import ServiceSettings


class FullCacheSettings(ServiceSettings):
    """How full the cache is."""

    bench_routes: int = Field(default=1000, ge=1, description="Routes in the cache.")


def create_application() -> HotPath:
    """What the server calls for the application."""
    full = FullCache(FullCacheSettings().bench_routes)

    @asynccontextmanager
    async def filling() -> AsyncIterator[None]:
        task = asyncio.create_task(_fill(full))
        yield
        task.cancel()

    probes = build_application(
        title="", description="", handlers=[], kinds={}, health=full.health, metrics=full.metrics, lifespan=filling
    )
    return HotPath(probes, full.answers, health=full.health, metrics=full.metrics)


async def _fill(full: FullCache) -> None:
    """In order, so that the last route tells that all are there; a server that starts has 30 seconds to answer."""
    for number in full.filling():
        if number % 1000 == 0:
            await asyncio.sleep(0)


if __name__ == "__main__":
    serve("bench.full_cache:create_application", Service.DATA_PLANE, FullCacheSettings())
