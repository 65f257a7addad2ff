"""Loads: their cost, changes that arrive during one, and loads that no source answers."""

import asyncio

import pytest

from data_plane.errors import RouteUnknown
from shared.schemas.identity import RouteKey
from tests.fakes.data_plane_world import KEY, World, summary_of
from tests.support.active_values import url_of


@pytest.fixture
def world() -> World:
    return World()


async def test_load_tries_redis_once_while_it_is_down(world: World) -> None:
    world.database.commit(KEY, "https://v1")
    world.redis.is_down = True
    assert summary_of(await world.instance().resolve()) == "https://v1 replica"
    assert (world.redis.gets, world.redis.puts) == (1, 0)


async def test_only_the_unreadable_redis_entry_is_loaded_from_a_database(world: World) -> None:
    other = RouteKey("team-a", "other", "prod", "v1")
    for key in (KEY, other):
        world.database.commit(key, "https://v1")
        await world.instance().resolve(key)
    world.redis.unreadable = {KEY}
    instance = world.instance()
    async with asyncio.TaskGroup() as together:
        answers = [together.create_task(instance.resolve(key)) for key in (KEY, other)]
    assert [summary_of(each.result()) for each in answers] == ["https://v1 replica", "https://v1 redis"]
    assert instance.count("tm_cache_lookups_total", layer="redis", outcome="error") == 1
    assert instance.count("tm_cache_lookups_total", layer="redis", outcome="hit") == 1


async def test_load_without_a_result_counts_as_failed(world: World) -> None:
    world.redis.is_down = True
    world.all_databases(down=True)
    instance = world.instance()
    with pytest.raises(RouteUnknown):
        await instance.resolve()
    assert instance.count("tm_loads_total", outcome="failed") == 1


async def test_hundred_callers_share_one_load(world: World) -> None:
    world.database.commit(KEY, "https://v1")
    gate = world.replica.hold()
    instance = world.instance()
    callers = [asyncio.create_task(instance.resolve()) for _ in range(100)]
    await world.replica.read_started()
    gate.set()
    assert {summary_of(await each) for each in callers} == {"https://v1 replica"}
    assert world.replica.reads == 1
    assert instance.count("tm_loads_total", outcome="coalesced") == 99


async def test_event_during_a_load_wins_over_the_loaded_value(world: World) -> None:
    world.database.commit(KEY, "https://v1")
    gate = world.replica.hold()
    instance = world.instance()
    caller = asyncio.create_task(instance.resolve())
    await world.replica.read_started()
    await instance.core.applier.apply([world.database.commit(KEY, "https://v2")])
    gate.set()
    assert url_of((await caller).entry) == "https://v2"
    assert url_of(world.redis.entries[KEY]) == "https://v2"


async def test_late_write_of_an_older_value_is_rejected_by_redis(world: World) -> None:
    world.database.commit(KEY, "https://v1")
    gate = world.replica.hold()
    slow, fast = world.instance(), world.instance()
    caller = asyncio.create_task(slow.resolve())
    await world.replica.read_started()
    await fast.core.applier.apply([world.database.commit(KEY, "https://v2")])
    gate.set()
    assert url_of((await caller).entry) == "https://v2"
    assert url_of(world.redis.entries[KEY]) == "https://v2"


async def test_stale_entry_is_served_when_the_load_exceeds_the_deadline(world: World) -> None:
    world.database.commit(KEY, "https://v1")
    instance = world.instance(resolve_deadline_seconds=0.05)
    await instance.resolve()
    world.clock.advance(60)
    world.replica.hold()
    assert summary_of(await instance.resolve()) == "https://v1 l1 stale"
    await instance.core.resolver.close()


async def test_event_between_the_end_of_a_load_and_its_answer_wins(world: World) -> None:
    world.database.commit(KEY, "https://v1")
    instance = world.instance()
    caller = asyncio.create_task(instance.resolve())
    for _ in range(100):
        if KEY in world.redis.entries:
            break
        await asyncio.sleep(0)
    # The load has just written to Redis; its waiters have not been woken yet.
    assert not caller.done()
    await instance.core.applier.apply([world.database.commit(KEY, "https://v2")])
    assert url_of((await caller).entry) == "https://v2"
