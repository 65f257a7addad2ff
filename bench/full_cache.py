"""The hot path over a cache that holds so many routes, served as the services are: does the number matter?

`TM_BENCH_ROUTES=1000000 python -m bench.full_cache`. Nothing else of the resolver runs.
"""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from pydantic import Field

from bench.seeded import key
from data_plane.domain.entry import Entry, Lives, State
from data_plane.http.hot_path import HotPath
from data_plane.service.freshness import Freshness
from data_plane.service.local_answers import LocalAnswers
from data_plane.service.local_cache import LocalCache
from shared.runtime.catalogue import Service
from shared.runtime.clock import SystemClock
from shared.runtime.health import Health
from shared.runtime.http.application import build_application
from shared.runtime.metrics import Metrics
from shared.runtime.server import serve
from shared.runtime.settings import ServiceSettings

LIFE_SECONDS = 3600.0


class FullCacheSettings(ServiceSettings):
    """How full the cache is."""

    bench_routes: int = Field(default=1000, ge=1, description="Routes in the cache.")


def create_application() -> HotPath:
    """What the server calls for the application."""
    clock, metrics, health = SystemClock(), Metrics(Service.DATA_PLANE), Health({})
    routes = FullCacheSettings().bench_routes
    cache = LocalCache(routes, metrics)
    answers = LocalAnswers(cache, Freshness(Lives(LIFE_SECONDS), clock, metrics), clock, metrics)

    @asynccontextmanager
    async def filling() -> AsyncIterator[None]:
        task = asyncio.create_task(_fill(cache, routes, clock.monotonic()))
        yield
        task.cancel()

    probes = build_application(
        title="", description="", handlers=[], kinds={}, health=health, metrics=metrics, lifespan=filling
    )
    return HotPath(probes, answers, health=health, metrics=metrics)


async def _fill(cache: LocalCache, routes: int, now: float) -> None:
    """In order, so that the last route tells that all are there; a server that starts has 30 seconds to answer."""
    for number in range(routes):
        url = f"http://service-{number}.bench-prod.svc.cluster.local:8080"
        cache.store(Entry(key(number), State.ACTIVE, url, 1000 + number, now, now + LIFE_SECONDS + number / 1e6))
        if number % 1000 == 0:
            await asyncio.sleep(0)


if __name__ == "__main__":
    serve("bench.full_cache:create_application", Service.DATA_PLANE, FullCacheSettings())
