"""The staleness bound and the tenant revision of answers, from applied events and from loads."""

import pytest

from data_plane.domain.read_consistency import ReadConsistency
from shared.schemas.events import ChangesWithheld
from shared.schemas.identity import RouteKey
from tests.fakes.data_plane_world import KEY, Instance, World, summary_of
from tests.support.active_values import url_of

OTHER = RouteKey("team-a", "other", "prod", "v1")


@pytest.fixture
def world() -> World:
    return World()


async def bound_of(instance: Instance, key: RouteKey = KEY) -> float | None:
    """The bound of an answer, without the allowance for drifting clocks."""
    bound = (await instance.resolve(key)).bound
    return None if bound is None else round(bound, 1)


async def test_heartbeat_renews_entries_read_before_it(world: World) -> None:
    world.database.commit(KEY, "https://v1")
    instance = world.instance()
    await instance.resolve()
    world.clock.advance(30)
    assert await bound_of(instance) == 30
    instance.apply_heartbeat()
    world.clock.advance(2)
    assert await bound_of(instance) == 2


async def test_late_heartbeat_does_not_lower_the_proven_time(world: World) -> None:
    instance = world.instance()
    long_ago = world.clock.monotonic()
    world.clock.advance(20)
    instance.apply_heartbeat()
    instance.apply_heartbeat(long_ago)
    await instance.resolve()
    world.clock.advance(1)
    assert await bound_of(instance) == 1


async def test_bound_is_unknown_without_the_primary_time(world: World) -> None:
    instance = world.instance(knows_primary_time=False)
    instance.apply_heartbeat()
    assert await bound_of(instance) is None


async def test_bound_is_unknown_until_older_entries_expire_after_the_primary_clock_was_set(world: World) -> None:
    world.database.commit(KEY, "https://v1")
    instance = world.instance()
    await instance.resolve()
    now = world.clock.monotonic()
    instance.primary_clock.observe(sent=now, received=now, remote=world.primary_time(300))
    assert await bound_of(instance) is None


@pytest.fixture
async def set_back_by_a_minute(world: World) -> Instance:
    """An instance of which the last heartbeat and an event are from before the primary's clock was set back.

    The fakes date everything by the world's clock, which is the primary's after it was set back.
    """
    instance = world.instance(knows_primary_time=False)
    now = world.clock.monotonic()
    instance.primary_clock.observe(sent=now, received=now, remote=world.primary_time(60))
    instance.apply_heartbeat(now + 60)
    world.clock.advance(1)
    now = world.clock.monotonic()
    instance.primary_clock.observe(sent=now, received=now, remote=world.primary_time())
    world.clock.advance(1)
    return instance


async def test_bound_is_unknown_while_the_last_heartbeat_is_in_the_future(world: World) -> None:
    instance = world.instance()
    instance.apply_heartbeat(world.clock.monotonic() + 60)
    assert await bound_of(instance) is None
    assert b"tm_staleness_bound_seconds +Inf" in instance.metrics.exposition()


async def test_heartbeat_from_before_the_clock_was_set_back_never_renews_an_entry(
    world: World, set_back_by_a_minute: Instance
) -> None:
    instance = set_back_by_a_minute
    world.database.commit(KEY, "https://v1")
    assert await bound_of(instance) is None
    world.clock.advance(58)  # The clock has almost passed the heartbeat again.
    assert await bound_of(instance) is None
    world.clock.advance(4)
    assert await bound_of(instance) == 0, "the entry was loaded again, after the ambiguous time"
    world.clock.advance(20)
    assert await bound_of(instance) == 20
    instance.apply_heartbeat()
    assert await bound_of(instance) == 0


async def test_event_from_before_the_clock_was_set_back_has_no_ttl(
    world: World, set_back_by_a_minute: Instance
) -> None:
    event = world.database.commit(KEY, "https://v1")
    assert event.occurred_at.timestamp() < set_back_by_a_minute.primary_clock.ambiguous_until
    await set_back_by_a_minute.core.applier.apply([event])
    assert summary_of(await set_back_by_a_minute.resolve()) == "https://v1 replica"
    world.clock.advance(62)
    await set_back_by_a_minute.core.applier.apply([world.database.commit(KEY, "https://v2")])
    assert summary_of(await set_back_by_a_minute.resolve()) == "https://v2 l1"


async def test_entry_from_a_replica_behind_the_subscription_is_not_renewed(world: World) -> None:
    world.database.commit(KEY, "https://v1")
    world.replica.stop_here()
    world.clock.advance(1)
    world.database.commit(KEY, "https://not-applied")
    world.clock.advance(20)
    instance = world.instance()
    instance.apply_heartbeat()
    assert summary_of(await instance.resolve()) == "https://v1 replica"
    assert await bound_of(instance) == 20


async def test_redis_entry_older_than_an_evicted_change_is_rejected(world: World) -> None:
    world.database.commit(KEY, "https://v1")
    await world.instance().resolve()
    instance = world.instance(l1_entries=1)
    world.clock.advance(20)
    older = world.redis.entries[KEY]
    await instance.core.applier.apply([world.database.commit(KEY, "https://v2")])
    instance.apply_heartbeat()
    await instance.resolve(RouteKey("team-b", "other", "prod", "v1"))
    world.redis.entries[KEY] = older  # a restart, and a slow instance's fill
    assert summary_of(await instance.resolve()) == "https://v2 replica"


async def test_heartbeat_renews_held_entries_when_other_keys_of_the_tenant_were_evicted(world: World) -> None:
    instance = world.instance(l1_entries=2)
    await instance.core.applier.apply([world.database.commit(KEY, "https://v1")])
    await instance.core.applier.apply([world.database.commit(OTHER, "https://other")])
    await instance.resolve()
    await instance.resolve(RouteKey("team-b", "other", "prod", "v1"))
    assert instance.count("tm_cache_evictions_total", reason="capacity") == 1
    world.clock.advance(30)
    instance.apply_heartbeat()
    world.clock.advance(2)
    assert await bound_of(instance) == 2


async def test_entries_are_not_renewed_between_a_gap_and_their_next_load(world: World) -> None:
    instance = world.instance()
    await instance.core.applier.apply([world.database.commit(KEY, "https://v1")])
    world.clock.advance(1)
    world.database.commit(KEY, "https://not-applied")
    await instance.core.applier.apply([world.database.commit(OTHER, "https://other")])
    instance.apply_heartbeat()
    answer = await instance.resolve()
    assert url_of(answer.entry) == "https://not-applied" or round(answer.bound or 0, 1) == 1


async def test_heartbeat_does_not_renew_entries_of_a_tenant_with_a_withheld_change_set(world: World) -> None:
    instance = world.instance()
    await instance.core.applier.apply([world.database.commit(KEY, "https://v1")])
    world.clock.advance(1)
    world.database.commit(KEY, "https://unheard")
    instance.core.applier.apply_withheld([ChangesWithheld(tenant=KEY.tenant)])
    instance.apply_heartbeat()
    answer = await instance.resolve()
    assert url_of(answer.entry) == "https://unheard" or round(answer.bound or 0, 1) == 1


async def test_heartbeat_for_fewer_partitions_than_are_read_is_ignored(world: World) -> None:
    instance = world.instance()
    await instance.resolve()
    world.clock.advance(5)
    instance.stream_coverage.begin({0: 0, 1: 0}, at=world.clock.monotonic(), resumed=True)
    instance.apply_heartbeat()
    assert await bound_of(instance) == 5


async def test_bound_follows_the_heartbeat_of_the_slowest_partition(world: World) -> None:
    instance = world.instance()
    assert instance.stream_coverage.until == float("-inf")
    instance.apply_heartbeat()
    assert instance.stream_coverage.until == world.clock.now().timestamp()
    instance.stream_coverage.begin({0: 0, 1: 0}, at=world.clock.monotonic(), resumed=True)
    instance.stream_coverage.mark_applied(0, 1)
    assert instance.stream_coverage.until == float("-inf")


async def test_answer_has_the_tenant_revision_of_the_last_applied_event_of_any_route(world: World) -> None:
    instance = world.instance()
    await instance.core.applier.apply([world.database.commit(KEY, "https://v1")])
    await instance.core.applier.apply([world.database.commit(OTHER, "https://other")])
    world.all_databases(down=True)
    answer = await instance.resolve(consistency=ReadConsistency(min_revision=2))
    assert (summary_of(answer), answer.entry.revision, answer.tenant_revision) == ("https://v1 l1", 1, 2)


async def test_entry_from_before_a_gap_does_not_gain_later_revisions(world: World) -> None:
    instance = world.instance()
    await instance.core.applier.apply([world.database.commit(KEY, "https://v1")])
    world.database.commit(KEY, "https://not-applied")
    await instance.core.applier.apply([world.database.commit(OTHER, "https://other")])
    assert (
        summary_of(await instance.resolve(consistency=ReadConsistency(min_revision=3))) == "https://not-applied replica"
    )
