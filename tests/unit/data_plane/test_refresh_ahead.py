"""Without Redis, entries that expire soon are read in the query of another load, so that fewer expiries are queries."""

import pytest

from data_plane.domain.slot import MAX_USES
from data_plane.service.loading.loader import REFRESH_AHEAD_SECONDS, REFRESHED_KEYS
from shared.schemas.identity import RouteKey
from tests.fakes.data_plane_world import Instance, World, summary_of

TTL = 60.0
USED = [RouteKey("team-a", f"used-{number}", "prod", "v1") for number in range(3)]
MISSED = RouteKey("team-a", "missed", "prod", "v1")


@pytest.fixture
def world() -> World:
    world = World()
    for key in (*USED, MISSED):
        world.database.commit(key, "https://v1")
    return world


async def used_routes(world: World) -> Instance:
    """An instance that has loaded the routes from the replica, each for a caller."""
    instance = world.instance()
    for key in USED:
        await instance.resolve(key)
    return instance


async def served_from(instance: Instance, key: RouteKey) -> str:
    return summary_of(await instance.resolve(key))


async def test_entries_that_expire_soon_are_refreshed_by_the_load_of_another_key(world: World) -> None:
    instance = await used_routes(world)
    world.redis.is_down = True
    world.clock.advance(TTL - REFRESH_AHEAD_SECONDS + 1)
    assert await served_from(instance, MISSED) == "https://v1 replica"
    world.clock.advance(REFRESH_AHEAD_SECONDS)
    assert [await served_from(instance, key) for key in USED] == ["https://v1 l1"] * len(USED)


async def test_entries_that_expire_later_are_not_refreshed(world: World) -> None:
    instance = await used_routes(world)
    world.redis.is_down = True
    reads = world.replica.reads
    world.clock.advance(TTL - REFRESH_AHEAD_SECONDS - 1)
    await instance.resolve(MISSED)
    assert world.replica.reads == reads + 1


async def test_nothing_is_refreshed_while_redis_answers(world: World) -> None:
    instance = await used_routes(world)
    reads = world.replica.reads
    world.clock.advance(TTL - 1)
    await instance.resolve(MISSED)
    assert world.replica.reads == reads + 1


async def test_entry_that_no_caller_asks_for_again_is_given_up(world: World) -> None:
    instance = await used_routes(world)
    world.redis.is_down = True
    refreshed = []
    for number in range(2 * MAX_USES):
        world.clock.advance(TTL - 1)
        reads = world.replica.reads
        await instance.resolve(RouteKey("team-a", f"never-created-{number}", "prod", "v1"))
        refreshed.append(world.replica.reads - reads - 1)
    assert refreshed[0] == len(USED)
    assert refreshed[MAX_USES:] == [0] * MAX_USES


async def test_query_has_a_limited_number_of_further_keys(world: World) -> None:
    many = [RouteKey("team-a", f"many-{number}", "prod", "v1") for number in range(2 * REFRESHED_KEYS)]
    instance = world.instance()
    for key in many:
        world.database.commit(key, "https://v1")
        await instance.resolve(key)
    world.redis.is_down = True
    world.clock.advance(TTL - 1)
    reads = world.replica.reads
    await instance.resolve(MISSED)
    assert world.replica.reads == reads + 1 + REFRESHED_KEYS


async def test_refreshed_entry_has_the_value_that_the_database_has_now(world: World) -> None:
    instance = await used_routes(world)
    world.redis.is_down = True
    world.database.commit(USED[0], "https://v2")
    world.clock.advance(TTL - 1)
    await instance.resolve(MISSED)
    assert await served_from(instance, USED[0]) == "https://v2 l1"
