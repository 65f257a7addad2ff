"""The HotKeySource port: the fakes, Redis and a replica."""

from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass

import asyncpg
import pytest

from data_plane.adapters.redis.hot_keys import PREFIX
from data_plane.ports import HotKeySource
from deploy.local.stack import Stack
from shared.runtime.resilience import DependencyUnavailable
from shared.schemas.identity import RouteKey
from tests.fakes.data_plane_cache import FakeRouteCache
from tests.fakes.data_plane_database import FakePrimary, FakeRouteSource
from tests.support.factories import a_tenant
from tests.support.postgres import Database
from tests.support.resolver_adapters import CLOCK, an_entry, redis_cache, route_source
from tests.support.route_writer import RouteWriter
from tests.support.waiting import eventually


@dataclass(frozen=True)
class Subject:
    """A source, and a function that adds a route to it."""

    source: HotKeySource
    use: Callable[[RouteKey], Awaitable[object]]


@pytest.fixture(params=["fake cache", "fake database", "redis", "replica"])
async def subject(request: pytest.FixtureRequest, stack: Stack, database: Database) -> AsyncIterator[Subject]:
    """Each kind of source."""
    if request.param == "fake cache":
        cache = FakeRouteCache()
        yield Subject(cache, lambda key: cache.put([an_entry(key, 1)]))
    elif request.param == "fake database":
        primary = FakePrimary(CLOCK)

        async def commit(key: RouteKey) -> None:
            primary.commit(key, "https://v1")

        yield Subject(FakeRouteSource(primary), commit)
    elif request.param == "redis":
        redis = redis_cache(stack.urls.redis)
        yield Subject(redis, lambda key: redis.put([an_entry(key, 1)]))
        await redis.close()
    else:
        connection = await asyncpg.connect(database.url, timeout=5)
        async with route_source(database.replica_url) as source:
            yield Subject(source, lambda key: RouteWriter(connection).put(key, "https://v1"))
        await connection.close()


async def test_used_routes_are_returned_up_to_the_limit(subject: Subject) -> None:
    keys = {RouteKey(a_tenant(), f"service-{number}", "prod", "v1") for number in range(5)}
    for key in keys:
        await subject.use(key)

    async def are_returned() -> bool:
        return keys <= set(await subject.source.hot_keys(100_000))

    await eventually(are_returned)
    assert len(await subject.source.hot_keys(3)) == 3


async def test_redis_returns_the_last_used_routes_first(stack: Stack) -> None:
    redis = redis_cache(stack.urls.redis)
    old, new = (RouteKey(a_tenant(), "payments", "prod", "v1") for _ in range(2))
    await redis.put([an_entry(old, 1)])

    async def new_comes_first() -> bool:
        await redis.put([an_entry(new, 1)])
        used = await redis.hot_keys(100_000)
        return used.index(new) < used.index(old)

    await eventually(new_comes_first, within=5, every=0.3)  # Redis counts whole seconds
    await redis.close()


async def test_redis_keys_that_are_no_routes_are_left_out(stack: Stack) -> None:
    redis = redis_cache(stack.urls.redis)
    await redis._client.set(PREFIX + b"malformed", "x", ex=60)  # noqa: SLF001
    assert all(isinstance(each, RouteKey) for each in await redis.hot_keys(100_000))
    await redis.close()


async def test_stopped_redis_is_unavailable() -> None:
    redis = redis_cache("redis://127.0.0.1:1/0")
    with pytest.raises(DependencyUnavailable):
        await redis.hot_keys(10)
    await redis.close()
