"""Reasons for which a watch ends or is refused."""

import asyncio
import contextlib
from datetime import UTC, datetime

import pytest

from data_plane.domain.close_reason import CloseReason
from data_plane.errors import NoSuchTenant, RevisionGone, TooManyWatches, WatchUnavailable
from shared.schemas.events import ChangesWithheld
from tests.fakes.data_plane_world import KEY, World
from tests.support.watch_steps import OTHER, begin, change, ending_of, given, resume


@pytest.fixture
def world() -> World:
    return World()


async def test_watch_is_closed_after_a_gap(world: World) -> None:
    instance = world.instance()
    await change(world, instance)
    _, watching = await begin(instance)
    await change(world)
    after = await change(world, instance)
    assert await ending_of(watching) is CloseReason.GAP
    with pytest.raises(RevisionGone) as gone:
        await resume(instance, 1)
    assert gone.value.oldest == after.revision


async def test_watch_is_closed_after_a_change_set_was_withheld_also_when_no_event_follows(world: World) -> None:
    instance = world.instance()
    await change(world, instance)
    _, watching = await begin(instance)
    await change(world)
    instance.core.applier.apply_withheld([ChangesWithheld(tenant=watching.tenant, revision=2)])
    assert await ending_of(watching) is CloseReason.GAP
    world.clock.advance(1)
    assert (await begin(instance))[0].revision == 2


async def test_watch_is_closed_when_the_stream_cannot_resume(world: World) -> None:
    instance = world.instance()
    await change(world, instance)
    _, watching = await begin(instance)
    await change(world)
    world.clock.advance(1)
    instance.open_stream()
    assert await ending_of(watching) is CloseReason.GAP
    with pytest.raises(RevisionGone):
        await resume(instance, 1)
    assert (await begin(instance))[0].revision == 2


async def test_redelivered_event_does_not_hide_earlier_lost_events(world: World) -> None:
    instance = world.instance()
    first = await change(world, instance)
    await change(world)
    instance.open_stream()
    await instance.core.applier.apply([first])
    with pytest.raises(RevisionGone):
        await resume(instance, 1)


async def test_watch_behind_the_change_log_is_closed_and_counted(world: World) -> None:
    instance = world.instance(change_log_changes=3)
    await change(world, instance)
    _, watching = await begin(instance)
    for _ in range(4):
        await change(world, instance)
    ending = await ending_of(watching)
    watching.end(ending)
    assert ending is CloseReason.SLOW
    assert instance.count("tm_watch_closed_total", reason="slow") == 1


async def test_change_log_is_limited_in_bytes(world: World) -> None:
    instance = world.instance(change_log_bytes=20_000)
    await change(world, instance)
    _, watching = await begin(instance)
    for _ in range(10):
        await change(world, instance, url="https://v1/" + "x" * 2000)
    instance.metrics.refresh()
    (metric,) = instance.metrics.gauge("tm_change_log_bytes").collect()
    assert 10_000 < metric.samples[0].value <= 20_000
    assert await ending_of(watching) is CloseReason.SLOW


async def test_watch_receives_no_changes_of_other_tenants(world: World) -> None:
    instance = world.instance()
    await change(world, instance)
    _, watching = await begin(instance)
    await instance.core.applier.apply([world.database.commit(OTHER, "https://other")])
    assert await given(watching) == []


async def test_drain_closes_every_watch_and_rejects_new_ones(world: World) -> None:
    instance = world.instance()
    await change(world, instance)
    watch_hub = [(await begin(instance))[1] for _ in range(3)]
    instance.core.watch_hub.drain()
    assert {await ending_of(each) for each in watch_hub} == {CloseReason.DRAIN}
    assert instance.count("tm_watch_closed_total", reason="drain") == 3
    with pytest.raises(WatchUnavailable):
        await resume(instance, 1)


async def test_watches_are_limited_and_a_closed_one_frees_its_slot(world: World) -> None:
    instance = world.instance(watch_clients=1)
    await change(world, instance)
    _, watching = await begin(instance)
    with pytest.raises(WatchUnavailable):
        await begin(instance)
    watching.end(CloseReason.CLIENT)
    await begin(instance)


async def test_watches_of_one_tenant_leave_slots_for_others(world: World) -> None:
    instance = world.instance(watch_clients=3, watch_clients_per_tenant=1)
    await change(world, instance)
    await instance.core.applier.apply([world.database.commit(OTHER, "https://other")])
    _, watching = await begin(instance)
    with pytest.raises(TooManyWatches, match="team-a has 1 watches in this instance"):
        await begin(instance)
    with pytest.raises(TooManyWatches):
        await resume(instance, 1)
    await begin(instance, OTHER.tenant)
    watching.end(CloseReason.CLIENT)
    await resume(instance, 1)
    with pytest.raises(TooManyWatches):
        await begin(instance)


async def test_tenants_that_fill_their_share_of_the_watches_leave_places_to_others(world: World) -> None:
    instance = world.instance(watch_clients=100, watch_clients_per_tenant=100)
    await change(world, instance)
    world.tenant_primary.empty_tenants |= {OTHER.tenant, "team-c"}
    counts = []
    for tenant in (KEY.tenant, OTHER.tenant, "team-c"):
        count = 0
        with contextlib.suppress(TooManyWatches, WatchUnavailable):
            while True:
                await begin(instance, tenant)
                count += 1
        counts.append(count)
    assert counts == [90, 9, 1]


async def test_tenant_limit_holds_for_watches_that_open_at_once(world: World) -> None:
    instance = world.instance(watch_clients_per_tenant=3)
    await change(world, instance)
    begun = []

    async def begin_if_there_is_a_place() -> None:
        with contextlib.suppress(TooManyWatches):
            begun.append(await begin(instance))

    async with asyncio.TaskGroup() as group:
        for _ in range(10):
            group.create_task(begin_if_there_is_a_place())
    assert len(begun) == 3


async def test_tenant_without_routes_is_empty_and_unknown_tenant_is_an_error(world: World) -> None:
    instance = world.instance()
    world.tenant_primary.empty_tenants.add("new")
    reading, _ = await begin(instance, "new")
    assert (reading.revision, reading.routes) == (0, ())
    with pytest.raises(NoSuchTenant):
        await begin(instance, "nobody")


async def test_unknown_tenant_is_not_reported_while_every_database_fails(world: World) -> None:
    world.tenant_replica.is_down = world.tenant_primary.is_down = True
    with pytest.raises(WatchUnavailable):
        await begin(world.instance(), "nobody")


async def test_watches_that_open_at_once_share_one_query(world: World) -> None:
    instance = world.instance()
    await change(world, instance)
    async with asyncio.TaskGroup() as group:
        tasks = [group.create_task(begin(instance)) for _ in range(50)]
    assert {each.result()[0].revision for each in tasks} == {1}
    assert world.tenant_replica.reads == 1


async def test_proven_time_advances_with_heartbeats_and_never_decreases(world: World) -> None:
    instance = world.instance()
    await change(world, instance)
    world.clock.advance(5)
    reading, watching = await begin(instance)
    begun = watching.proven_at
    assert begun == reading.proven_at
    instance.apply_heartbeat(world.clock.monotonic() - 1)
    assert watching.proven_at == begun
    world.clock.advance(2)
    instance.apply_heartbeat()
    now = datetime.fromtimestamp(watching.proven_at, UTC)
    assert now == world.clock.now()


async def test_late_event_does_not_count_as_the_newest(world: World) -> None:
    late = await change(world)
    await change(world, url="https://v2")
    instance = world.instance()
    await instance.core.applier.apply([late])
    with pytest.raises(RevisionGone) as gone:
        await resume(instance, 1)
    assert gone.value.oldest == 2
