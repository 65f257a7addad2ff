"""Answers past their TTL, and entries that are never served so."""

import pytest

from tests.fakes.data_plane_world import KEY, Instance, World, summary_of


@pytest.fixture
def world() -> World:
    return World()


async def with_deactivation_applied(world: World) -> Instance:
    """An instance that has applied the deactivation of the route; its Redis and its replica lack it."""
    world.database.commit(KEY, "https://v1")
    world.replica.stop_here()
    await world.instance().resolve()
    before = world.redis.entries[KEY]
    instance = world.instance()
    await instance.core.applier.apply([world.database.commit(KEY, None)])
    world.redis.entries[KEY] = before
    return instance


@pytest.mark.parametrize("replica_is_down", [True, False])
async def test_expired_tombstone_wins_against_older_values(world: World, replica_is_down: bool) -> None:
    instance = await with_deactivation_applied(world)
    world.primary.is_down = True
    world.replica.is_down = replica_is_down
    for _ in range(3):
        world.clock.advance(1000)
        assert summary_of(await instance.resolve()).startswith("inactive ")


async def test_tombstone_in_redis_wins_over_the_value_in_l1(world: World) -> None:
    world.database.commit(KEY, "https://v1")
    without_events = world.instance()
    await without_events.resolve()
    await world.instance().core.applier.apply([world.database.commit(KEY, None)])
    world.clock.advance(61)
    world.all_databases(down=True)
    assert summary_of(await without_events.resolve()) == "inactive redis stale"
    world.redis.is_down = True
    assert summary_of(await without_events.resolve()) == "inactive l1 stale"
