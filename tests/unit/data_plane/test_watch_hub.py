"""Watches of a tenant: from a snapshot or a revision on, every change once and in order, or an end with its reason."""

import asyncio

import pytest

from data_plane.errors import RevisionGone, WatchUnavailable
from tests.fakes.data_plane_world import World
from tests.support.active_values import url_of
from tests.support.watch_steps import begin, change, given, resume


@pytest.fixture
def world() -> World:
    return World()


async def test_watch_begins_with_all_routes_at_one_revision_and_receives_every_change(world: World) -> None:
    instance = world.instance()
    await change(world, instance, url="https://v1")
    reading, watching = await begin(instance)
    assert (reading.revision, [url_of(each) for each in reading.routes]) == (1, ["https://v1"])
    assert await given(watching) == []
    await change(world, instance, url="https://v2")
    await change(world, instance, url=None)
    assert await given(watching) == [2, 3]


async def test_waiting_subscription_gets_a_change_when_it_is_applied(world: World) -> None:
    instance = world.instance()
    await change(world, instance)
    _, watching = await begin(instance)
    waiting = asyncio.create_task(watching.next(60))
    await asyncio.sleep(0)
    await change(world, instance)
    event = await waiting
    assert event is not None
    assert event.revision == 2


async def test_changes_missing_in_the_snapshot_of_a_lagging_replica_follow(world: World) -> None:
    instance = world.instance()
    await change(world, instance, url="https://v1")
    await change(world, instance, url="https://v2")
    world.tenant_replica.stop_here()
    await change(world, instance, url="https://v3")
    reading, watching = await begin(instance)
    assert (reading.revision, url_of(reading.routes[0])) == (2, "https://v2")
    assert await given(watching) == [3]


async def test_replica_behind_the_stream_coverage_is_skipped(world: World) -> None:
    await change(world)
    world.tenant_replica.stop_here()
    await change(world)
    late = world.instance()
    reading, watching = await begin(late)
    assert (reading.revision, world.tenant_primary.reads) == (2, 1)
    await change(world, late)
    assert await given(watching) == [3]
    world.tenant_primary.is_down = True
    assert (await resume(late, 2)).revision == 2


async def test_replica_behind_the_change_log_is_skipped(world: World) -> None:
    instance = world.instance(change_log_changes=2)
    await change(world, instance)
    world.tenant_replica.stop_here()
    for _ in range(3):
        await change(world, instance)
    assert (await begin(instance))[0].revision == 4
    world.tenant_primary.is_down = True
    with pytest.raises(WatchUnavailable):
        await begin(instance)


async def test_watch_is_refused_while_no_database_is_recent_enough(world: World) -> None:
    await change(world)
    world.tenant_replica.stop_here()
    world.tenant_primary.is_down = True
    await change(world)
    with pytest.raises(WatchUnavailable):
        await begin(world.instance())


async def test_watch_is_refused_before_the_stream_is_open(world: World) -> None:
    await change(world)
    instance = world.instance(receives_events=False)
    with pytest.raises(WatchUnavailable, match="does not receive events yet"):
        await begin(instance)


async def test_watch_resumes_after_its_revision_without_a_database(world: World) -> None:
    instance = world.instance()
    for _ in range(5):
        await change(world, instance)
    world.tenant_replica.is_down = world.tenant_primary.is_down = True
    assert await given(await resume(instance, 2)) == [3, 4, 5]
    assert await given(await resume(instance, 5)) == []


async def test_watch_resumes_in_an_instance_without_events_if_none_is_missing(world: World) -> None:
    for _ in range(3):
        await change(world)
    new = world.instance()
    watching = await resume(new, 3)
    await change(world, new)
    assert await given(watching) == [4]
    with pytest.raises(RevisionGone) as gone:
        await resume(new, 2)
    assert gone.value.oldest == 3


async def test_watch_resumes_at_a_lagging_instance_without_repetition(world: World) -> None:
    instance = world.instance()
    await change(world, instance)
    pending = [await change(world) for _ in range(2)]
    watching = await resume(instance, 3)
    await instance.core.applier.apply(pending)
    assert await given(watching) == []
    await change(world, instance)
    assert await given(watching) == [4]


async def test_watch_cannot_resume_from_an_uncommitted_revision(world: World) -> None:
    instance = world.instance()
    await change(world, instance)
    with pytest.raises(RevisionGone):
        await resume(instance, 2)


async def test_revision_missing_only_in_a_lagging_replica_is_not_reported_gone(world: World) -> None:
    instance = world.instance()
    await change(world, instance)
    world.tenant_primary.is_down = True
    with pytest.raises(WatchUnavailable):
        await resume(instance, 2)


async def test_revision_before_the_change_log_is_gone_with_the_oldest_revision_kept(world: World) -> None:
    instance = world.instance(change_log_changes=3)
    for _ in range(5):
        await change(world, instance)
    with pytest.raises(RevisionGone) as gone:
        await resume(instance, 1)
    assert gone.value.oldest == 2
    assert await given(await resume(instance, gone.value.oldest)) == [3, 4, 5]


async def test_redelivered_events_are_not_sent_again(world: World) -> None:
    instance = world.instance()
    events = [await change(world, instance) for _ in range(3)]
    _, watching = await begin(instance)
    await instance.core.applier.apply([*events, events[0]])
    assert await given(watching) == []


async def test_event_redelivered_after_lost_events_begins_no_change_log(world: World) -> None:
    instance = world.instance()
    await change(world, instance)
    echoed = await change(world)
    await change(world)
    instance.open_stream()  # again, at the end: both events were missed
    await instance.core.applier.apply([echoed])
    with pytest.raises(RevisionGone) as gone:
        await resume(instance, 1)
    assert gone.value.oldest == 3
