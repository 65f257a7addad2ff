"""Explanations of answers; explaining changes no cache."""

import pytest

from data_plane.domain.answer import Layer
from shared.schemas.identity import RouteKey
from tests.fakes.data_plane_world import KEY, World
from tests.support.resolver_client import PATH, client_of

ALL = ("redis", "replica-1", "postgres")


@pytest.fixture
def world() -> World:
    return World()


async def test_explaining_changes_no_cache(world: World) -> None:
    world.database.commit(KEY, "https://v1")
    instance = world.instance()
    explanation = await instance.core.explainer.explain(KEY)
    assert [each.layer for each in explanation.views] == [Layer.L1, Layer.REDIS, Layer.REPLICA, Layer.PRIMARY]
    assert explanation.answering is not None
    assert explanation.answering.layer is Layer.REPLICA
    assert world.redis.entries == {}
    assert (await instance.resolve()).layer is Layer.REPLICA


async def test_explanation_gives_the_reason_for_a_404(world: World) -> None:
    explain = world.instance().core.explainer.explain
    assert (await explain(KEY)).why == "No such tenant."
    world.database.commit(KEY, "https://v1")
    never = RouteKey(KEY.tenant, "never", "prod", "v1")
    assert (await explain(never)).why == "Never created, up to revision 1 of the tenant."
    assert (await explain(KEY)).why == "Active since revision 1 of the tenant."
    world.database.commit(KEY, None)
    assert (await explain(KEY)).why == "Inactive since revision 2 of the tenant."


async def test_heartbeat_does_not_date_an_entry_older_than_an_applied_change(world: World) -> None:
    await world.instance().core.applier.apply([world.database.commit(KEY, "https://v1")])
    instance, older = world.instance(), world.redis.entries[KEY]
    world.clock.advance(20)
    await instance.core.applier.apply([world.database.commit(KEY, "https://v2")])
    world.redis.entries[KEY] = older  # a restart, and a slow instance's write
    world.clock.advance(5)
    instance.apply_heartbeat()
    held, in_redis, *_ = (await instance.core.explainer.explain(KEY)).views
    assert [round(each.bound or 0, 1) for each in (held, in_redis)] == [0, 25]


async def test_failed_layer_is_noted(world: World) -> None:
    world.redis.is_down = True
    world.all_databases(down=True)
    explanation = await world.instance().core.explainer.explain(KEY)
    assert explanation.answering is None
    assert [each.note for each in explanation.views] == [
        "no entry",
        *(f"{name} cannot be reached, or is not called because it failed too often" for name in ALL),
    ]


async def test_explanation_is_served_over_http(world: World) -> None:
    instance = world.instance()
    await instance.core.applier.apply([world.database.commit(KEY, "https://v1")])
    instance.apply_heartbeat()
    world.clock.advance(2)
    async with client_of(instance) as client:
        body = (await client.get(f"{PATH}/explain")).json()
    first = body["layers"][0]
    assert (body["answered_by"], body["watermark"]["applied_to"]) == ("l1", 1)
    assert (first["url"], first["age_ms"], first["staleness_bound_ms"], first["fresh"]) == (
        "https://v1",
        2000,
        2001,
        True,
    )


async def test_unusable_replica_comes_after_the_primary(world: World) -> None:
    world.database.commit(KEY, "https://v1")
    instance = world.instance(postgres_url="postgresql://unused")
    instance.core.replicas.observe("replica-1", 11.0)
    explanation = await instance.core.explainer.explain(KEY)
    assert explanation.answering is not None
    assert explanation.answering.layer is (await instance.resolve()).layer is Layer.PRIMARY
    assert "read last" in explanation.views[-1].note


async def test_replica_behind_the_applied_events_is_skipped(world: World) -> None:
    world.database.commit(KEY, "https://v1")
    world.replica.stop_here()
    instance = world.instance()
    other = RouteKey(KEY.tenant, "other", "prod", "v1")
    await instance.core.applier.apply([world.database.commit(other, "https://o")])
    explanation = await instance.core.explainer.explain(KEY)
    assert explanation.answering is not None
    assert explanation.answering.layer is (await instance.resolve()).layer is Layer.PRIMARY
    assert "skipped" in explanation.views[2].note


async def test_redis_with_pending_writes_is_skipped(world: World) -> None:
    world.database.commit(KEY, "https://v1")
    await world.instance().resolve()
    instance = world.instance()
    world.redis.is_down = True
    await instance.core.applier.apply([world.database.commit(RouteKey("team-b", "x", "prod", "v1"), "https://x")])
    world.redis.is_down = False
    explanation = await instance.core.explainer.explain(KEY)
    assert explanation.answering is not None
    assert explanation.answering.layer is (await instance.resolve()).layer is Layer.REPLICA
    assert "not read" in explanation.views[1].note


async def test_redis_entry_older_than_the_evicted_revision_is_skipped(world: World) -> None:
    await world.instance().core.applier.apply([world.database.commit(KEY, "https://v1")])
    older = world.redis.entries[KEY]
    instance = world.instance(l1_entries=1)
    await instance.core.applier.apply([world.database.commit(KEY, "https://v2")])
    await instance.core.applier.apply([world.database.commit(RouteKey("team-b", "x", "prod", "v1"), "https://x")])
    world.redis.entries[KEY] = older
    explanation = await instance.core.explainer.explain(KEY)
    assert explanation.answering is not None
    assert explanation.answering.layer is (await instance.resolve()).layer is Layer.REPLICA


async def test_explanation_falls_back_to_the_stale_entry(world: World) -> None:
    instance = world.instance()
    world.redis.is_down = True
    world.all_databases(down=True)
    assert (await instance.core.explainer.explain(KEY)).why == "No layer has an entry, so the route is unknown."
    await instance.core.applier.apply([world.database.commit(KEY, None)])
    world.clock.advance(11)
    assert (await instance.resolve()).stale
    assert "Inactive since revision 1 of the tenant." in (await instance.core.explainer.explain(KEY)).why
