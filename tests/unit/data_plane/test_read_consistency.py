"""Read consistency: a demanded revision or age, the sources that are read for it, the wait, and the refusal."""

import asyncio

import pytest

from data_plane.domain.read_consistency import ReadConsistency
from data_plane.errors import NotFreshEnough, RevisionNotReached, RouteUnknown
from data_plane.service.resolve.resolver import RETRY_SECONDS
from shared.schemas.identity import RouteKey
from tests.fakes.data_plane_world import KEY, World, summary_of
from tests.support.active_values import url_of
from tests.support.waiting import eventually

OTHER = RouteKey("team-a", "other", "prod", "v1")


@pytest.fixture
def world() -> World:
    return World()


async def test_max_age_is_met_from_a_fresher_source(world: World) -> None:
    world.database.commit(KEY, "https://v1")
    instance = world.instance()
    await instance.resolve()
    world.clock.advance(30)
    assert summary_of(await instance.resolve(consistency=ReadConsistency(max_age=31))) == "https://v1 l1"
    assert summary_of(await instance.resolve(consistency=ReadConsistency(max_age=5))) == "https://v1 replica"
    world.replica.stop_here()
    world.database.commit(OTHER, "https://other")
    world.clock.advance(30)
    assert summary_of(await instance.resolve(consistency=ReadConsistency(max_age=5))) == "https://v1 primary"


async def test_max_age_of_zero_is_met_from_the_primary(world: World) -> None:
    world.database.commit(KEY, "https://v1")
    assert (
        summary_of(await world.instance(knows_primary_time=False).resolve(consistency=ReadConsistency(max_age=0)))
        == "https://v1 primary"
    )


async def test_refusal_names_the_best_known_bound(world: World) -> None:
    world.database.commit(KEY, "https://v1")
    instance = world.instance()
    await instance.resolve()
    world.all_databases(down=True)
    world.clock.advance(30)
    with pytest.raises(NotFreshEnough, match=r"is 300.. ms, and the request accepts 5000 ms") as refused:
        await instance.resolve(consistency=ReadConsistency(max_age=5))
    assert round(refused.value.bound or 0, 1) == 30
    with pytest.raises(RouteUnknown):
        await instance.resolve(OTHER, consistency=ReadConsistency(max_age=5))


async def test_write_is_read_from_a_replica_before_its_event_arrives(world: World) -> None:
    instance = world.instance()
    await instance.core.applier.apply([world.database.commit(KEY, "https://v1")])
    world.database.commit(KEY, "https://v2")
    assert summary_of(await instance.resolve()) == "https://v1 l1"
    assert summary_of(await instance.resolve(consistency=ReadConsistency(min_revision=2))) == "https://v2 replica"


async def test_min_revision_is_met_from_the_primary_when_the_replica_lags(world: World) -> None:
    instance = world.instance()
    world.database.commit(KEY, "https://v1")
    world.replica.stop_here()
    world.database.commit(KEY, "https://v2")
    assert summary_of(await instance.resolve(consistency=ReadConsistency(min_revision=2))) == "https://v2 primary"


async def test_request_waits_for_a_min_revision_that_no_database_has(world: World) -> None:
    instance = world.instance()
    world.database.commit(KEY, "https://v1")
    world.replica.stop_here()
    event = world.database.commit(KEY, "https://v2")
    world.primary.is_down = True
    waiting = asyncio.create_task(instance.resolve(consistency=ReadConsistency(min_revision=2)))
    await eventually(lambda: _has_read(world))
    assert not waiting.done()
    await instance.core.applier.apply([event])
    assert url_of((await waiting).entry) == "https://v2"


async def test_request_waits_for_a_revision_while_no_source_can_be_read(world: World) -> None:
    instance = world.instance()
    await instance.core.applier.apply([world.database.commit(KEY, "https://v1")])
    event = world.database.commit(KEY, "https://v2")
    world.redis.is_down = True
    world.all_databases(down=True)
    waiting = asyncio.create_task(instance.resolve(consistency=ReadConsistency(min_revision=2)))
    await eventually(lambda: _has_read(world, times=2))
    assert not waiting.done()
    await instance.core.applier.apply([event])
    assert summary_of(await waiting) == "https://v2 l1"


async def test_request_for_an_unknown_route_waits_for_its_revision(world: World) -> None:
    instance = world.instance()
    event = world.database.commit(KEY, "https://v1")
    world.redis.is_down = True
    world.all_databases(down=True)
    waiting = asyncio.create_task(instance.resolve(consistency=ReadConsistency(min_revision=1)))
    await eventually(lambda: _has_read(world, times=2))
    await instance.core.applier.apply([event])
    assert summary_of(await waiting) == "https://v1 l1"


async def test_min_revision_that_an_event_has_reached_is_met_while_every_source_fails(world: World) -> None:
    instance = world.instance()
    world.database.commit(KEY, "https://v1")
    world.replica.stop_here()
    event = world.database.commit(KEY, "https://v2")
    world.primary.is_down = True
    waiting = asyncio.create_task(instance.resolve(consistency=ReadConsistency(min_revision=2)))
    await eventually(lambda: _has_read(world))
    world.redis.is_down = True
    world.all_databases(down=True)
    await instance.core.applier.apply([event])
    reads = world.replica.reads
    assert url_of((await waiting).entry) == "https://v2"
    assert world.replica.reads <= reads + 2


async def _has_read(world: World, times: int = 1) -> bool:
    return world.replica.reads >= times


async def test_refusal_at_the_deadline_names_the_revision_reached(world: World) -> None:
    instance = world.instance(resolve_deadline_seconds=4 * RETRY_SECONDS)
    await instance.core.applier.apply([world.database.commit(KEY, "https://v1")])
    world.redis.is_down = True
    world.all_databases(down=True)
    with pytest.raises(RevisionNotReached, match="revision 1 of tenant team-a, and the request demands 2"):
        await instance.resolve(consistency=ReadConsistency(min_revision=2))
    assert 2 <= world.replica.reads <= 6


async def test_request_does_not_wait_for_an_unknown_age(world: World) -> None:
    instance = world.instance()
    await instance.core.applier.apply([world.database.commit(KEY, "https://v1")])
    world.redis.is_down = True
    world.all_databases(down=True)
    world.clock.advance(30)
    with pytest.raises(NotFreshEnough):
        await instance.resolve(consistency=ReadConsistency(max_age=5, min_revision=1))
    assert world.replica.reads == 1


async def test_min_revision_that_does_not_arrive_is_rejected_with_the_reached_revision(world: World) -> None:
    instance = world.instance(resolve_deadline_seconds=0.1)
    world.database.commit(KEY, "https://v1")
    with pytest.raises(RevisionNotReached, match="revision 1 of tenant team-a, and the request demands 2") as refused:
        await instance.resolve(consistency=ReadConsistency(min_revision=2))
    assert refused.value.reached == 1


async def test_hundred_callers_with_the_same_read_consistency_share_one_load(world: World) -> None:
    world.database.commit(KEY, "https://v1")
    gate = world.replica.hold()
    instance = world.instance()
    callers = [asyncio.create_task(instance.resolve(consistency=ReadConsistency(min_revision=1))) for _ in range(100)]
    await world.replica.read_started()
    gate.set()
    assert {summary_of(await each) for each in callers} == {"https://v1 replica"}
    assert world.replica.reads == 1
