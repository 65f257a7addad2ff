"""Watches of one tenant share an encoded snapshot, and all snapshots are bounded in bytes."""

import asyncio
import gc

import pytest

from data_plane.errors import WatchUnavailable
from data_plane.service.watch.encoded_snapshots import EncodedSnapshot
from data_plane.service.watch.subscription import Subscription
from data_plane.service.watch.tenant_snapshot import MAX_CATCH_UP
from tests.fakes.data_plane_world import KEY, Instance, World
from tests.support.watch_steps import OTHER, change, given


@pytest.fixture
def world() -> World:
    return World()


async def begin(instance: Instance, tenant: str = KEY.tenant) -> tuple[EncodedSnapshot, Subscription]:
    begun = await instance.core.watch_hub.begin(tenant)
    await asyncio.sleep(0)  # The event loop drops the future that holds the snapshot.
    return begun


def snapshot_bytes(instance: Instance) -> float:
    instance.metrics.refresh()
    (metric,) = instance.metrics.gauge("tm_watch_snapshot_bytes").collect()
    return float(metric.samples[0].value)


async def test_watches_that_begin_one_after_another_share_the_snapshot_that_is_being_sent(world: World) -> None:
    instance = world.instance()
    await change(world, instance)
    first, _ = await begin(instance)
    size = snapshot_bytes(instance)
    others = [await begin(instance) for _ in range(50)]
    assert all(snapshot is first for snapshot, _ in others)
    assert world.tenant_replica.reads == 1
    assert snapshot_bytes(instance) == size == sum(map(len, first.chunks()))


async def test_watch_that_shares_an_older_snapshot_receives_every_change_after_it(world: World) -> None:
    instance = world.instance()
    await change(world, instance)
    first, _ = await begin(instance)
    await change(world, instance)
    await change(world, instance)
    snapshot, watching = await begin(instance)
    assert snapshot is first
    assert await given(watching) == [2, 3]


async def test_snapshot_that_is_many_changes_behind_is_read_anew(world: World) -> None:
    instance = world.instance()
    await change(world, instance)
    first, _ = await begin(instance)
    for _ in range(MAX_CATCH_UP + 1):
        await change(world, instance)
    snapshot, _ = await begin(instance)
    assert (first.revision, snapshot.revision) == (1, MAX_CATCH_UP + 2)


async def test_snapshot_whose_changes_left_the_change_log_is_not_shared(world: World) -> None:
    instance = world.instance(change_log_changes=2)
    await change(world, instance)
    first, _ = await begin(instance)
    for _ in range(3):
        await change(world, instance)
    snapshot, _ = await begin(instance)
    assert (first.revision, snapshot.revision) == (1, 4)


async def test_snapshot_is_released_when_its_last_part_is_sent(world: World) -> None:
    instance = world.instance()
    await change(world, instance)
    snapshot, _ = await begin(instance)
    chunks = snapshot.chunks()
    next(chunks)
    del snapshot
    gc.collect()
    assert snapshot_bytes(instance) > 0
    assert list(chunks)
    assert snapshot_bytes(instance) == 0


async def test_snapshots_beyond_the_limit_in_bytes_are_refused_until_others_are_sent(world: World) -> None:
    instance = world.instance(watch_snapshot_bytes=10)
    await change(world, instance)
    world.tenant_replica.empty_tenants.add(OTHER.tenant)
    first, _ = await begin(instance)
    assert (await begin(instance))[0] is first
    with pytest.raises(WatchUnavailable, match="TM_WATCH_SNAPSHOT_BYTES"):
        await begin(instance, OTHER.tenant)
    del first
    gc.collect()
    await begin(instance, OTHER.tenant)


async def test_tenant_whose_snapshots_hold_half_of_the_bytes_leaves_the_rest_to_others(world: World) -> None:
    measured = world.instance()
    await change(world, measured)
    (sent, _) = await begin(measured)
    size = int(snapshot_bytes(measured))
    assert sent.revision == 1
    instance = world.instance(watch_snapshot_bytes=int(1.5 * size))
    world.tenant_replica.empty_tenants.add(OTHER.tenant)
    kept, _ = await begin(instance)
    for _ in range(MAX_CATCH_UP + 1):
        await change(world, instance)
    with pytest.raises(WatchUnavailable):
        await begin(instance)
    await begin(instance, OTHER.tenant)
    assert kept.revision == 1
