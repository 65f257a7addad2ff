"""The layer that answers, the remaining TTL, and answers while sources fail."""

import pytest

from data_plane.errors import RouteUnknown
from shared.schemas.identity import RouteKey
from tests.fakes.data_plane_world import KEY, World, summary_of


@pytest.fixture
def world() -> World:
    return World()


async def test_route_is_served_from_the_replica_then_l1_and_from_redis_in_another_instance(
    world: World,
) -> None:
    world.database.commit(KEY, "https://v1")
    first, second = world.instance(), world.instance()
    assert summary_of(await first.resolve()) == "https://v1 replica"
    assert summary_of(await first.resolve()) == "https://v1 l1"
    assert summary_of(await second.resolve()) == "https://v1 redis"


async def test_ttl_is_end_to_end_and_not_per_layer(world: World) -> None:
    world.database.commit(KEY, "https://v1")
    await world.instance().resolve()
    world.clock.advance(40)
    second = world.instance()
    answer = await second.resolve()
    assert (answer.age, answer.remaining) == (40, 20)
    world.clock.advance(20)
    assert summary_of(await second.resolve()) == "https://v1 replica"


async def test_instance_with_a_shorter_ttl_applies_it_to_entries_of_others(world: World) -> None:
    world.database.commit(KEY, "https://v1")
    await world.instance().resolve()
    brief = world.instance(positive_ttl_seconds=5)
    assert (await brief.resolve()).remaining == 5
    world.clock.advance(5)
    answer = await brief.resolve()
    assert (summary_of(answer), answer.remaining) == ("https://v1 replica", 5)


@pytest.mark.parametrize("deactivated", [True, False])
async def test_negative_entry_is_cached_for_ten_seconds(world: World, deactivated: bool) -> None:
    if deactivated:
        world.database.commit(KEY, "https://v1")
        world.database.commit(KEY, None)
    instance, state = world.instance(), "inactive" if deactivated else "absent"
    assert summary_of(await instance.resolve()) == f"{state} replica"
    world.clock.advance(9.9)
    assert summary_of(await instance.resolve()) == f"{state} l1"
    world.clock.advance(0.1)
    assert summary_of(await instance.resolve()) == f"{state} replica"


async def test_replica_lag_is_part_of_the_age(world: World) -> None:
    world.database.commit(KEY, "https://v1")
    world.replica.stop_here()
    world.database.commit(KEY, "https://v2")
    world.clock.advance(25)
    answer = await world.instance().resolve()
    assert (summary_of(answer), answer.age, answer.remaining) == ("https://v1 replica", 25, 35)


@pytest.mark.parametrize("lag_is_known", [True, False])
async def test_replica_that_lags_too_far_is_skipped(world: World, lag_is_known: bool) -> None:
    world.database.commit(KEY, "https://v1")
    world.replica.stop_here()
    world.replica.lag_is_known = lag_is_known
    world.database.commit(KEY, "https://v2")
    world.clock.advance(61 if lag_is_known else 0)
    assert summary_of(await world.instance().resolve()) == "https://v2 primary"


async def test_replica_behind_the_applied_events_is_skipped(world: World) -> None:
    world.database.commit(KEY, "https://v1")
    world.replica.stop_here()
    other = RouteKey("team-a", "other", "prod", "v1")
    instance = world.instance()
    await instance.core.applier.apply([world.database.commit(other, "https://other")])
    assert summary_of(await instance.resolve()) == "https://v1 primary"


async def test_replica_behind_the_applied_events_is_used_briefly_if_alone(
    world: World,
) -> None:
    world.database.commit(KEY, "https://v1")
    world.replica.stop_here()
    world.primary.is_down = True
    other = RouteKey("team-a", "other", "prod", "v1")
    instance = world.instance()
    await instance.core.applier.apply([world.database.commit(other, "https://other")])
    answer = await instance.resolve()
    assert (summary_of(answer), answer.remaining) == ("https://v1 replica", 1)
    assert KEY not in world.redis.entries
    assert instance.count("tm_cache_writes_total", layer="redis", outcome="refused_behind") == 1


async def test_lagging_replica_never_restores_a_value_that_an_event_replaced(world: World) -> None:
    world.database.commit(KEY, "https://v1")
    world.replica.stop_here()
    world.primary.is_down = True
    instance = world.instance(knows_primary_time=False)
    await instance.resolve()
    await instance.core.applier.apply([world.database.commit(KEY, None)])
    assert summary_of(await instance.resolve()) == "inactive replica stale"


async def test_evicted_route_is_not_served_older_from_a_lagging_replica(world: World) -> None:
    world.database.commit(KEY, "https://v1")
    world.replica.stop_here()
    world.primary.is_down = True
    instance = world.instance(l1_entries=1)
    await instance.core.applier.apply([world.database.commit(KEY, "https://v2")])
    assert summary_of(await instance.resolve()) == "https://v2 l1"
    await instance.resolve(RouteKey("team-b", "other", "prod", "v1"))
    world.redis.flush()
    with pytest.raises(RouteUnknown):
        await instance.resolve()


async def test_known_route_is_served_stale_when_every_source_fails(world: World) -> None:
    world.database.commit(KEY, "https://v1")
    instance = world.instance()
    await instance.resolve()
    world.all_databases(down=True)
    world.redis.is_down = True
    world.clock.advance(60)
    answer = await instance.resolve()
    assert (summary_of(answer), answer.remaining, answer.age) == ("https://v1 l1 stale", 0, 60)
    world.clock.advance(3600)
    with pytest.raises(RouteUnknown, match="too old"):
        await instance.resolve()


async def test_expired_redis_entry_is_served_stale_when_every_database_fails(world: World) -> None:
    world.database.commit(KEY, "https://v1")
    await world.instance().resolve()
    world.all_databases(down=True)
    world.clock.advance(60)
    assert summary_of(await world.instance().resolve()) == "https://v1 redis stale"


async def test_caller_can_refuse_a_stale_answer(world: World) -> None:
    world.database.commit(KEY, "https://v1")
    instance = world.instance()
    await instance.resolve()
    world.all_databases(down=True)
    assert summary_of(await instance.resolve(accept_stale=False)) == "https://v1 l1"
    world.clock.advance(60)
    with pytest.raises(RouteUnknown, match="does not accept a stale answer"):
        await instance.resolve(accept_stale=False)


async def test_unknown_route_is_an_error_and_not_negative_when_every_source_fails(world: World) -> None:
    world.all_databases(down=True)
    instance = world.instance()
    with pytest.raises(RouteUnknown, match="team-a:payments:prod:v1"):
        await instance.resolve()
    assert instance.count("tm_resolutions_total", result="unavailable", layer="none") == 1
    world.all_databases(down=False)
    world.database.commit(KEY, "https://v1")
    assert summary_of(await instance.resolve()) == "https://v1 replica"


async def test_replica_that_responds_is_a_source_whatever_its_lag(world: World) -> None:
    world.database.commit(KEY, "https://v1")
    world.replica.stop_here()
    world.database.commit(KEY, "https://v2")
    world.primary.is_down = True
    world.clock.advance(3 * 3600)
    assert summary_of(await world.instance().resolve()) == "https://v1 replica stale"
