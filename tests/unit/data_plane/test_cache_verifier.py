"""The verifier that compares caches with the database."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from data_plane.domain.active_value import ActiveValue
from data_plane.domain.entry import Entry, State
from data_plane.domain.reading import Reading
from data_plane.service.loading.verifier import contradicts
from shared.runtime.clock import LocalTime
from tests.fakes.data_plane_world import KEY, Instance, World


@pytest.fixture
def world() -> World:
    return World()


def counts(instance: Instance, layer: str) -> tuple[float, float]:
    """Samples of the layer, and mismatches among them."""
    names = ("tm_verifier_samples_total", "tm_cache_mismatches_total")
    return instance.count(names[0], layer=layer), instance.count(names[1], layer=layer)


async def test_matching_entry_is_counted_and_not_reported(world: World) -> None:
    instance = world.instance()
    await instance.core.verifier.sample()
    await instance.core.applier.apply([world.database.commit(KEY, "https://v1")])
    await instance.core.verifier.sample()
    assert (counts(instance, "l1"), counts(instance, "redis")) == ((1, 0), (1, 0))


async def test_entry_that_only_lags_is_not_reported(world: World) -> None:
    instance = world.instance()
    await instance.core.applier.apply([world.database.commit(KEY, "https://v1")])
    world.database.commit(KEY, "https://v2")
    await instance.core.verifier.sample()
    assert counts(instance, "l1") == (1, 0)


async def test_value_that_differs_at_the_same_revision_is_reported_by_layer(world: World) -> None:
    instance = world.instance()
    await instance.core.applier.apply([world.database.commit(KEY, "https://v1")])
    world.redis.entries[KEY] = replace(world.redis.entries[KEY], value=ActiveValue("https://wrong"))
    await instance.core.verifier.sample()
    assert (counts(instance, "l1"), counts(instance, "redis")) == ((1, 0), (1, 1))


async def test_applied_change_that_is_missing_in_the_cache_is_reported(world: World) -> None:
    instance = world.instance()
    await instance.core.applier.apply([world.database.commit(KEY, "https://v1")])
    world.redis.entries[KEY] = replace(world.redis.entries[KEY], tenant_revision=2)
    world.database.commit(KEY, "https://v2")
    await instance.core.verifier.sample()
    assert counts(instance, "redis") == (1, 1)


async def test_verifier_reads_once_per_sample_and_never_without_a_database(world: World) -> None:
    instance = world.instance()
    await instance.core.applier.apply([world.database.commit(KEY, "https://v1")])
    await instance.core.verifier.sample()
    assert (world.replica.reads, world.primary.reads) == (1, 0)
    world.all_databases(down=True)
    await instance.core.verifier.sample()
    assert counts(instance, "l1") == (1, 0)


@given(st.lists(st.booleans(), max_size=8), st.integers(0, 8), st.integers(0, 8))
def test_two_views_of_one_history_never_mismatch(changes: list[bool], cached: int, read: int) -> None:
    """`changes`: whether each of the tenant's revisions was of this route."""

    def at(length: int) -> tuple[State, ActiveValue | None, int, int]:
        revision = min(length, len(changes))
        own = [number for number, mine in enumerate(changes[:revision], start=1) if mine]
        return (
            (State.ACTIVE, ActiveValue(f"https://{own[-1]}"), own[-1], revision)
            if own
            else (State.ABSENT, None, revision, revision)
        )

    state, value, revision, tenant_revision = at(cached)
    entry = Entry(KEY, state, value, revision, LocalTime(0), LocalTime(0), tenant_revision=tenant_revision)
    assert not contradicts(entry, tenant_revision, Reading(KEY, *at(read), read_at=LocalTime(0)))


async def test_mismatch_is_reported_while_a_replica_is_unusable(world: World) -> None:
    instance = world.instance(postgres_url="postgresql://unused")
    world.replica.stop_here()
    instance.core.replicas.observe("replica-1", 11.0)
    await instance.core.applier.apply([world.database.commit(KEY, "https://v1")])
    world.redis.entries[KEY] = replace(world.redis.entries[KEY], value=ActiveValue("https://wrong"))
    await instance.core.verifier.sample()
    assert counts(instance, "redis") == (1, 1)
