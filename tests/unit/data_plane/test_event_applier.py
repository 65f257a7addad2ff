"""Applying events to the caches."""

import pytest

from data_plane.service.cache.freshness import SPREAD_SECONDS
from shared.schemas.events import ChangesWithheld
from shared.schemas.identity import RouteKey
from tests.fakes.data_plane_world import KEY, Instance, World, summary_of
from tests.support.active_values import url_of

OTHER = RouteKey("team-a", "other", "prod", "v1")


@pytest.fixture
def world() -> World:
    return World()


async def test_applied_change_is_served_without_a_load(world: World) -> None:
    instance = world.instance()
    await instance.core.applier.apply([world.database.commit(KEY, "https://v1")])
    world.all_databases(down=True)
    assert summary_of(await instance.resolve()) == "https://v1 l1"
    assert summary_of(await world.instance().resolve()) == "https://v1 redis"


async def test_deactivated_route_is_not_resolved(world: World) -> None:
    instance = world.instance()
    await instance.core.applier.apply([world.database.commit(KEY, "https://v1")])
    await instance.core.applier.apply([world.database.commit(KEY, None)])
    assert summary_of(await instance.resolve()) == "inactive l1"


async def test_ttl_of_an_event_counts_from_the_change(world: World) -> None:
    event = world.database.commit(KEY, "https://v1")
    world.clock.advance(40)
    instance = world.instance()
    await instance.core.applier.apply([event])
    answer = await instance.resolve()
    assert (answer.age, answer.remaining) == (40, 20)


async def test_change_is_only_a_min_revision_and_is_loaded_again_without_the_primary_time(world: World) -> None:
    instance = world.instance(knows_primary_time=False)
    await instance.core.applier.apply([world.database.commit(KEY, "https://v1")])
    assert summary_of(await instance.resolve()) == "https://v1 replica"
    await instance.core.applier.apply([world.database.commit(KEY, "https://v2")])
    world.all_databases(down=True)
    assert summary_of(await instance.resolve()) == "https://v2 redis stale"


@pytest.mark.parametrize("order", [(0, 1, 2), (2, 1, 0), (1, 0, 2, 0, 1, 1), (2, 2)])
async def test_newest_change_wins_in_any_order_of_events(world: World, order: tuple[int, ...]) -> None:
    events = [world.database.commit(KEY, url) for url in ("https://v1", None, "https://v3")]
    instance = world.instance()
    for index in order:
        await instance.core.applier.apply([events[index]])
    assert summary_of(await instance.resolve()) == "https://v3 l1"
    assert url_of(world.redis.entries[KEY]) == "https://v3"


async def test_redelivered_event_does_not_restore_an_evicted_entry(world: World) -> None:
    old = world.database.commit(KEY, "https://v1")
    world.database.commit(KEY, "https://v2")
    instance = world.instance(l1_entries=1)
    assert summary_of(await instance.resolve()) == "https://v2 replica"
    await instance.resolve(OTHER)
    world.redis.flush()
    await instance.core.applier.apply([old])
    assert summary_of(await instance.resolve()) == "https://v2 replica"


async def test_events_are_counted_by_outcome(world: World) -> None:
    events = [world.database.commit(KEY, f"https://v{n}") for n in range(4)]
    instance = world.instance()
    for index in (0, 1, 1, 0, 3):
        await instance.core.applier.apply([events[index]])
    counts = {
        outcome: instance.count("tm_events_total", topic="route-events", outcome=outcome)
        for outcome in ("applied", "duplicate", "older")
    }
    assert counts == {"applied": 3, "duplicate": 1, "older": 1}
    assert instance.count("tm_revision_gaps_total") == 1


async def _with_a_gap(world: World) -> Instance:
    """An instance that cached KEY and then missed its change."""
    instance = world.instance()
    await instance.core.applier.apply([world.database.commit(KEY, "https://v1")])
    world.clock.advance(1)
    world.database.commit(KEY, "https://v2")
    await instance.core.applier.apply([world.database.commit(OTHER, "https://other")])
    return instance


async def test_entries_of_a_tenant_are_revalidated_soon_after_a_gap(world: World) -> None:
    instance = await _with_a_gap(world)
    world.clock.advance(SPREAD_SECONDS)
    assert summary_of(await instance.resolve()) == "https://v2 replica"


async def test_gap_of_one_tenant_does_not_affect_others(world: World) -> None:
    foreign = RouteKey("team-b", "payments", "prod", "v1")
    instance = world.instance()
    await instance.core.applier.apply([world.database.commit(foreign, "https://b")])
    for revision in (1, 2, 3):
        event = world.database.commit(KEY, f"https://v{revision}")
        if revision != 2:
            await instance.core.applier.apply([event])
    world.clock.advance(SPREAD_SECONDS)
    assert summary_of(await instance.resolve(foreign)) == "https://b l1"


async def test_entries_of_a_tenant_are_revalidated_soon_after_a_change_set_was_withheld(world: World) -> None:
    instance, foreign = world.instance(), RouteKey("team-b", "payments", "prod", "v1")
    for key in (KEY, foreign):
        await instance.core.applier.apply([world.database.commit(key, "https://v1")])
    world.clock.advance(1)
    withheld = world.database.commit(KEY, "https://v2")
    instance.core.applier.apply_withheld([ChangesWithheld(tenant=KEY.tenant, revision=withheld.revision)])
    world.clock.advance(SPREAD_SECONDS)
    assert summary_of(await instance.resolve()) == "https://v2 replica"
    assert summary_of(await instance.resolve(foreign)) == "https://v1 l1"
    assert instance.count("tm_events_total", topic="route-events", outcome="withheld") == 1


async def test_suspect_entries_are_served_while_no_source_can_be_read(world: World) -> None:
    instance = await _with_a_gap(world)
    world.all_databases(down=True)
    world.redis.is_down = True
    world.clock.advance(SPREAD_SECONDS)
    assert summary_of(await instance.resolve()) == "https://v1 l1 stale"


async def test_all_entries_including_redis_are_revalidated_after_an_interruption(world: World) -> None:
    instance = world.instance()
    await instance.core.applier.apply([world.database.commit(KEY, "https://v1")])
    world.clock.advance(1)
    world.database.commit(KEY, "https://v2")
    instance.core.applier.mark_all_suspect()
    world.clock.advance(SPREAD_SECONDS)
    assert summary_of(await instance.resolve()) == "https://v2 replica"
    assert b"tm_suspect_tenants 1.0" in instance.metrics.exposition()


async def test_pending_writes_reach_redis_before_it_is_read_again(world: World) -> None:
    instance = world.instance()
    await instance.core.applier.apply([world.database.commit(KEY, "https://v1")])
    world.redis.is_down = True
    await instance.core.applier.apply([world.database.commit(KEY, "https://v2")])
    assert "redis" in instance.notes
    world.redis.is_down = False
    gets = world.redis.gets
    await instance.resolve(OTHER)
    assert world.redis.gets == gets
    assert await instance.core.l2.flush_pending()
    assert url_of(world.redis.entries[KEY]) == "https://v2"
    assert not instance.notes
    await instance.resolve(RouteKey("team-a", "third", "prod", "v1"))
    assert world.redis.gets == gets + 1


async def test_redis_is_not_read_for_one_ttl_after_pending_changes_were_dropped(world: World) -> None:
    instance = world.instance()
    world.redis.is_down = True
    keys = [RouteKey("team-a", f"s{number}", "prod", "v1") for number in range(10_001)]
    event = world.database.commit(KEY, "https://v1")
    entries = [instance.core.applier._entry(event, key, event.changes[0]) for key in keys]  # noqa: SLF001 - many at once
    await instance.core.l2.push(entries)
    world.redis.is_down = False
    assert await instance.core.l2.flush_pending()
    assert len(world.redis.entries) == 10_000
    world.clock.advance(59)
    assert await instance.core.l2.get(keys[:1]) == [None]
    world.clock.advance(1)
    assert await instance.core.l2.get(keys[:1]) != [None]
