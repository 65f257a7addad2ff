"""The keys that a starting process loads."""

import asyncio
from typing import Any

import pytest

from data_plane.service.loading.warm_up import BATCH_SIZE
from shared.schemas.identity import RouteKey
from tests.fakes.data_plane_world import KEY, Instance, World, summary_of

FAST: dict[str, Any] = {"warmup_per_second": 1_000_000}


@pytest.fixture
def world() -> World:
    return World()


def keys(count: int) -> list[RouteKey]:
    return [RouteKey("team-a", f"service-{number}", "prod", "v1") for number in range(count)]


def booted_from(instance: Instance) -> list[str]:
    gauges = (
        instance.metrics.gauge("tm_warm_start_source_info").labels(each) for each in ("snapshot", "redis", "replica")
    )
    return [gauge._labelvalues[0] for gauge in gauges if gauge._value.get()]  # noqa: SLF001


async def test_warm_up_loads_the_hot_keys_of_redis(world: World) -> None:
    world.database.commit(KEY, "https://v1")
    await world.instance().resolve()
    instance = world.instance(**FAST)
    await instance.core.warm_up.run(10)
    world.redis.is_down = True
    world.all_databases(down=True)
    assert summary_of(await instance.resolve()) == "https://v1 l1"
    assert booted_from(instance) == ["redis"]


@pytest.mark.parametrize("redis_is_down", [True, False])
async def test_replica_names_the_hot_keys_if_redis_fails(world: World, redis_is_down: bool) -> None:
    world.database.commit(KEY, "https://v1")
    world.redis.is_down = redis_is_down
    instance = world.instance(**FAST)
    await instance.core.warm_up.run(10)
    assert summary_of(await instance.resolve()) == "https://v1 l1"
    assert booted_from(instance) == ["replica"]


async def test_only_expired_entries_of_a_snapshot_are_loaded(world: World) -> None:
    for key in keys(3):
        world.database.commit(key, "https://v1")
    before = world.instance()
    for key in keys(2):
        await before.resolve(key)
    world.clock.advance(50)
    await before.resolve(keys(3)[2])
    await before.snapshots.write(pause_seconds=0)
    world.clock.advance(30)
    world.redis.flush()
    reads = world.replica.reads
    instance = world.instance(**FAST)
    await instance.snapshots.read()
    await instance.core.warm_up.run(10)
    assert world.replica.reads - reads == 2
    assert {summary_of(await instance.resolve(key)) for key in keys(3)} == {"https://v1 l1"}
    assert booted_from(instance) == ["snapshot"]


async def test_warm_up_ends_when_all_loads_fail(world: World) -> None:
    for key in keys(3 * BATCH_SIZE):
        world.database.commit(key, "https://v1")
        await world.instance().resolve(key)
    world.clock.advance(61)
    world.all_databases(down=True)
    gets = world.redis.gets
    await world.instance(**FAST).core.warm_up.run(10)
    assert world.redis.gets - gets == BATCH_SIZE


async def test_warm_up_respects_its_time_and_rate(world: World) -> None:
    for key in keys(400):
        world.database.commit(key, "https://v1")
    began = asyncio.get_running_loop().time()
    await world.instance(warmup_per_second=500).core.warm_up.run(0.4)
    assert world.replica.reads <= 200
    assert asyncio.get_running_loop().time() - began >= 0.3


async def test_warm_up_ends_in_time_while_servers_hang(world: World) -> None:
    world.database.commit(KEY, "https://v1")
    world.replica.hold()
    async with asyncio.timeout(5):  # a load alone would take 10
        await world.instance(**FAST).core.warm_up.run(0.05)
