"""Routes that were never created take a bounded part of the caches."""

import tracemalloc

import pytest

from data_plane.domain.entry import Entry, State
from data_plane.service.cache.l1 import L1Cache
from shared.runtime.clock import LocalTime
from shared.runtime.metrics import Metrics
from shared.runtime.service import Service
from shared.schemas.identity import RouteKey
from tests.fakes.data_plane_world import KEY, Instance, World, summary_of

LIMIT = 5


@pytest.fixture
def world() -> World:
    world = World()
    world.database.commit(KEY, "https://v1")
    return world


@pytest.fixture
def instance(world: World) -> Instance:
    return world.instance(tenant_absent_keys=LIMIT)


def absent(tenant: str, number: int) -> RouteKey:
    return RouteKey(tenant, "payments", "prod", f"missing-{number}")


async def answers(instance: Instance, *keys: RouteKey) -> list[str]:
    return [summary_of(await instance.resolve(key)).split(" ")[0] for key in keys]


async def test_tenant_that_names_many_absent_routes_gets_answers_and_a_bounded_part_of_the_caches(
    world: World, instance: Instance
) -> None:
    keys = [absent("team-a", number) for number in range(10 * LIMIT)]
    assert await answers(instance, *keys) == ["absent"] * len(keys)
    assert len(world.redis.entries) == LIMIT
    assert instance.count("tm_cache_writes_total", layer="l1", outcome="refused_limit") == 9 * LIMIT


async def test_limit_of_one_tenant_does_not_concern_another(world: World, instance: Instance) -> None:
    world.database.commit(RouteKey("team-b", "a", "b", "c"), "https://b")
    await answers(instance, *(absent("team-a", number) for number in range(10 * LIMIT)))
    await answers(instance, absent("team-b", 1))
    assert absent("team-b", 1) in world.redis.entries


async def test_tenants_that_do_not_exist_share_one_limit(world: World, instance: Instance) -> None:
    await answers(instance, *(absent(f"nobody-{number}", 1) for number in range(10 * LIMIT)))
    assert len(world.redis.entries) == LIMIT


async def test_route_that_is_created_beyond_the_limit_is_found_and_cached(world: World, instance: Instance) -> None:
    key = absent("team-a", 10 * LIMIT)
    await answers(instance, *(absent("team-a", number) for number in range(10 * LIMIT)), key)
    await instance.core.applier.apply([world.database.commit(key, "https://new")])
    assert summary_of(await instance.resolve(key)) == "https://new l1"


async def test_known_absent_route_is_renewed_beyond_the_limit(world: World, instance: Instance) -> None:
    known = absent("team-a", 0)
    await answers(instance, *(absent("team-a", number) for number in range(LIMIT)))
    world.clock.advance(instance.settings.negative_ttl_seconds - 0.1)
    world.redis.entries.clear()
    await answers(instance, *(absent("team-a", number) for number in range(LIMIT, 3 * LIMIT)))
    world.clock.advance(0.2)
    await answers(instance, known)
    assert known in world.redis.entries


async def test_limit_renews_within_one_negative_ttl(world: World, instance: Instance) -> None:
    await answers(instance, *(absent("team-a", number) for number in range(10 * LIMIT)))
    world.redis.entries.clear()
    world.clock.advance(instance.settings.negative_ttl_seconds)
    await answers(instance, *(absent("team-a", number) for number in range(100, 100 + 2 * LIMIT)))
    assert len(world.redis.entries) == LIMIT


def test_memory_of_l1_does_not_grow_with_the_names_in_requests() -> None:
    cache = L1Cache(10, Metrics(Service.DATA_PLANE))

    def ask(first: int, last: int) -> None:
        for number in range(first, last):
            key = absent(f"nobody-{number}", 1)
            cache.store(Entry(key, State.ABSENT, None, 0, LocalTime(0.0), LocalTime(10.0)))

    ask(0, 2_000)
    tracemalloc.start()
    try:
        ask(2_000, 12_000)
        grown, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    # The caches' queues of recent keys are rewritten meanwhile; 10,000 names in a dict take more than a megabyte.
    assert grown < 600_000
