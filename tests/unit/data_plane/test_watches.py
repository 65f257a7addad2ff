"""Watching a tenant: from a snapshot or a revision on, every change once and in order, or an honest end."""

import asyncio
from datetime import UTC, datetime

import pytest

from data_plane.domain.ending import Ending, WatchEnded
from data_plane.domain.tenant_reading import TenantReading
from data_plane.errors import NoSuchTenant, RevisionGone, WatchUnavailable
from data_plane.service.watching import Watching
from shared.schemas.events import RouteChanged
from shared.schemas.identity import RouteKey
from tests.fakes.data_plane_world import KEY, Instance, World

OTHER = RouteKey("team-b", "payments", "prod", "v1")


@pytest.fixture
def world() -> World:
    return World()


async def change(world: World, *instances: Instance, url: str | None = "https://v1") -> RouteChanged:
    """Commit a change and apply it in these instances."""
    event = world.database.commit(KEY, url)
    world.clock.advance(0.01)
    for instance in instances:
        await instance.core.applier.apply([event])
    return event


async def begin(instance: Instance, tenant: str = KEY.tenant) -> tuple[TenantReading, Watching]:
    return await instance.core.watches.begin(tenant)


async def resume(instance: Instance, since: int) -> Watching:
    return await instance.core.watches.resume(KEY.tenant, since)


async def given(watching: Watching) -> list[int]:
    """The revisions of everything that is there for the watcher now."""
    revisions = []
    while (event := await watching.next(0)) is not None:
        revisions.append(event.revision)
    return revisions


async def ending_of(watching: Watching) -> Ending:
    with pytest.raises(WatchEnded) as ended:
        await watching.next(0)
    return ended.value.ending


async def test_a_watch_begins_with_all_routes_at_one_revision_and_goes_on_with_every_change(world: World) -> None:
    instance = world.instance()
    await change(world, instance, url="https://v1")
    reading, watching = await begin(instance)
    assert (reading.revision, [each.url for each in reading.routes]) == (1, ["https://v1"])
    assert await given(watching) == []
    await change(world, instance, url="https://v2")
    await change(world, instance, url=None)
    assert await given(watching) == [2, 3]


async def test_who_waits_is_given_a_change_as_soon_as_it_is_applied(world: World) -> None:
    instance = world.instance()
    await change(world, instance)
    _, watching = await begin(instance)
    waiting = asyncio.create_task(watching.next(60))
    await asyncio.sleep(0)
    await change(world, instance)
    event = await waiting
    assert event is not None
    assert event.revision == 2


async def test_what_a_lagging_replica_lacks_follows_as_changes(world: World) -> None:
    instance = world.instance()
    await change(world, instance, url="https://v1")
    await change(world, instance, url="https://v2")
    world.tenant_replica.stop_here()
    await change(world, instance, url="https://v3")
    reading, watching = await begin(instance)
    assert (reading.revision, reading.routes[0].url) == (2, "https://v2")
    assert await given(watching) == [3]


async def test_a_replica_that_lacks_what_was_never_heard_here_is_passed_over(world: World) -> None:
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


async def test_a_replica_behind_what_is_kept_is_passed_over(world: World) -> None:
    instance = world.instance(watch_history_changes=2)
    await change(world, instance)
    world.tenant_replica.stop_here()
    for _ in range(3):
        await change(world, instance)
    assert (await begin(instance))[0].revision == 4
    world.tenant_primary.is_down = True
    with pytest.raises(WatchUnavailable):
        await begin(instance)


async def test_a_watch_is_refused_while_no_database_is_as_recent_as_what_was_heard(world: World) -> None:
    await change(world)
    world.tenant_replica.stop_here()
    world.tenant_primary.is_down = True
    await change(world)
    with pytest.raises(WatchUnavailable):
        await begin(world.instance())


async def test_a_watch_is_refused_before_the_first_event_can_be_heard(world: World) -> None:
    await change(world)
    instance = world.instance(listening=False)
    with pytest.raises(WatchUnavailable, match="does not hear of changes"):
        await begin(instance)


async def test_a_watch_goes_on_after_the_revision_it_has_without_a_database(world: World) -> None:
    instance = world.instance()
    for _ in range(5):
        await change(world, instance)
    world.tenant_replica.is_down = world.tenant_primary.is_down = True
    assert await given(await resume(instance, 2)) == [3, 4, 5]
    assert await given(await resume(instance, 5)) == []


async def test_a_watch_goes_on_in_an_instance_that_has_heard_nothing_when_nothing_was_missed(world: World) -> None:
    for _ in range(3):
        await change(world)
    new = world.instance()
    watching = await resume(new, 3)
    await change(world, new)
    assert await given(watching) == [4]
    with pytest.raises(RevisionGone) as gone:
        await resume(new, 2)
    assert gone.value.oldest == 3


async def test_a_watch_goes_on_in_an_instance_that_is_behind_without_a_repeat(world: World) -> None:
    instance = world.instance()
    await change(world, instance)
    unheard = [await change(world) for _ in range(2)]
    watching = await resume(instance, 3)
    await instance.core.applier.apply(unheard)
    assert await given(watching) == []
    await change(world, instance)
    assert await given(watching) == [4]


async def test_a_revision_that_never_was_cannot_be_gone_on_from(world: World) -> None:
    instance = world.instance()
    await change(world, instance)
    with pytest.raises(RevisionGone):
        await resume(instance, 2)


async def test_a_revision_that_only_a_lagging_replica_denies_is_not_called_gone(world: World) -> None:
    instance = world.instance()
    await change(world, instance)
    world.tenant_primary.is_down = True
    with pytest.raises(WatchUnavailable):
        await resume(instance, 2)


async def test_what_is_not_kept_any_more_is_gone_and_the_oldest_revision_is_named(world: World) -> None:
    instance = world.instance(watch_history_changes=3)
    for _ in range(5):
        await change(world, instance)
    with pytest.raises(RevisionGone) as gone:
        await resume(instance, 1)
    assert gone.value.oldest == 2
    assert await given(await resume(instance, gone.value.oldest)) == [3, 4, 5]


async def test_events_that_come_again_are_not_given_again(world: World) -> None:
    instance = world.instance()
    events = [await change(world, instance) for _ in range(3)]
    _, watching = await begin(instance)
    await instance.core.applier.apply([*events, events[0]])
    assert await given(watching) == []


async def test_a_watch_ends_when_changes_were_missed(world: World) -> None:
    instance = world.instance()
    await change(world, instance)
    _, watching = await begin(instance)
    await change(world)
    after = await change(world, instance)
    assert await ending_of(watching) is Ending.GAP
    with pytest.raises(RevisionGone) as gone:
        await resume(instance, 1)
    assert gone.value.oldest == after.revision


async def test_a_watch_ends_when_the_stream_could_not_go_on_from_where_it_was(world: World) -> None:
    instance = world.instance()
    await change(world, instance)
    _, watching = await begin(instance)
    await change(world)
    world.clock.advance(1)
    instance.listen()
    assert await ending_of(watching) is Ending.GAP
    with pytest.raises(RevisionGone):
        await resume(instance, 1)
    assert (await begin(instance))[0].revision == 2


async def test_an_event_that_comes_again_vouches_for_none_that_was_lost_before(world: World) -> None:
    instance = world.instance()
    first = await change(world, instance)
    await change(world)
    instance.listen()
    await instance.core.applier.apply([first])
    with pytest.raises(RevisionGone):
        await resume(instance, 1)


async def test_a_watcher_that_falls_behind_what_is_kept_is_closed_and_counted(world: World) -> None:
    instance = world.instance(watch_history_changes=3)
    await change(world, instance)
    _, watching = await begin(instance)
    for _ in range(4):
        await change(world, instance)
    ending = await ending_of(watching)
    watching.end(ending)
    assert ending is Ending.SLOW
    assert instance.count("tm_watch_closed_total", reason="slow") == 1


async def test_changes_of_others_are_none_of_a_watchers_business(world: World) -> None:
    instance = world.instance()
    await change(world, instance)
    _, watching = await begin(instance)
    await instance.core.applier.apply([world.database.commit(OTHER, "https://other")])
    assert await given(watching) == []


async def test_draining_ends_every_watch_and_begins_none(world: World) -> None:
    instance = world.instance()
    await change(world, instance)
    watches = [(await begin(instance))[1] for _ in range(3)]
    instance.core.watches.drain()
    assert {await ending_of(each) for each in watches} == {Ending.DRAIN}
    assert instance.count("tm_watch_closed_total", reason="drain") == 3
    with pytest.raises(WatchUnavailable):
        await resume(instance, 1)


async def test_there_are_only_so_many_watchers_and_who_leaves_makes_room(world: World) -> None:
    instance = world.instance(watch_clients=1)
    await change(world, instance)
    _, watching = await begin(instance)
    with pytest.raises(WatchUnavailable):
        await begin(instance)
    watching.end(Ending.CLIENT)
    await begin(instance)


async def test_a_tenant_without_routes_is_empty_and_one_that_is_not_there_is_no_tenant(world: World) -> None:
    instance = world.instance()
    world.tenant_primary.empty_tenants.add("new")
    reading, _ = await begin(instance, "new")
    assert (reading.revision, reading.routes) == (0, ())
    with pytest.raises(NoSuchTenant):
        await begin(instance, "nobody")


async def test_a_tenant_is_not_denied_while_no_database_answers(world: World) -> None:
    world.tenant_replica.is_down = world.tenant_primary.is_down = True
    with pytest.raises(WatchUnavailable):
        await begin(world.instance(), "nobody")


async def test_many_who_begin_at_once_cost_one_query(world: World) -> None:
    instance = world.instance()
    await change(world, instance)
    async with asyncio.TaskGroup() as group:
        tasks = [group.create_task(begin(instance)) for _ in range(50)]
    assert {each.result()[0].revision for each in tasks} == {1}
    assert world.tenant_replica.reads == 1


async def test_as_of_goes_on_with_heartbeats_and_never_back(world: World) -> None:
    instance = world.instance()
    await change(world, instance)
    world.clock.advance(5)
    reading, watching = await begin(instance)
    begun = watching.as_of
    assert begun == reading.proven_as_of
    instance.hear_heartbeat(world.clock.monotonic() - 1)
    assert watching.as_of == begun
    world.clock.advance(2)
    instance.hear_heartbeat()
    now = datetime.fromtimestamp(watching.as_of, UTC)
    assert now == world.clock.now()


async def test_an_event_that_comes_late_is_not_taken_for_the_newest(world: World) -> None:
    late = await change(world)
    await change(world, url="https://v2")
    instance = world.instance()
    await instance.core.applier.apply([late])
    with pytest.raises(RevisionGone) as gone:
        await resume(instance, 1)
    assert gone.value.oldest == 2
