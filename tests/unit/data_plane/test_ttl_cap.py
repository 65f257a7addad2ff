"""An instance applies its own TTL to every entry that another instance or an earlier process stored with a longer one."""

from typing import Any

import pytest

from data_plane.domain.entry import Entry, State, TtlPolicy
from shared.runtime.clock import LocalTime
from tests.fakes.data_plane_world import KEY, Instance, World, summary_of
from tests.support.active_values import a_value
from tests.support.resolver_restarts import instance_that_knows, restarted

SHORT: dict[str, Any] = {"positive_ttl_seconds": 20, "negative_ttl_seconds": 3}


@pytest.fixture
def world() -> World:
    return World()


@pytest.mark.parametrize(("state", "ttl"), [(State.ACTIVE, 20), (State.INACTIVE, 3), (State.ABSENT, 3)])
def test_cap_limits_the_ttl_of_each_state(state: State, ttl: float) -> None:
    policy = TtlPolicy(positive_seconds=20, negative_seconds=3)
    value = a_value("https://v1" if state is State.ACTIVE else None)
    entry = Entry(KEY, state, value, 1, read_at=LocalTime(100), expires_at=LocalTime(100 + ttl))
    assert policy.cap(entry) is entry
    longer = Entry(KEY, state, value, 1, read_at=LocalTime(100), expires_at=LocalTime(100.5 + ttl))
    assert policy.cap(longer) == entry


async def the_answer_is_loaded_again(instance: Instance, world: World) -> bool:
    """Whether the route, which was changed meanwhile, is loaded from a source."""
    world.database.commit(KEY, "https://changed")
    return summary_of(await instance.resolve()) == "https://changed replica"


@pytest.mark.parametrize(("after", "is_expired"), [(19.9, False), (20.1, True)])
async def test_restored_entry_expires_by_the_ttl_of_the_new_process(
    world: World, after: float, is_expired: bool
) -> None:
    await instance_that_knows(world)
    world.redis.flush()
    instance = await restarted(world, after=1, **SHORT)
    world.clock.advance(after - 1)
    assert await the_answer_is_loaded_again(instance, world) is is_expired


@pytest.mark.parametrize(
    ("url", "after", "is_expired"),
    [("https://v1", 19.9, False), ("https://v1", 20.1, True), (None, 2.9, False), (None, 3.1, True)],
)
async def test_entry_of_another_instance_expires_by_the_ttl_of_the_reader(
    world: World, url: str | None, after: float, is_expired: bool
) -> None:
    world.database.commit(KEY, "https://v0")
    world.database.commit(KEY, url)
    await world.instance().resolve()
    reader = world.instance(**SHORT)
    world.clock.advance(1)
    assert summary_of(await reader.resolve()) == ("https://v1 redis" if url else "inactive redis")
    world.clock.advance(after - 1)
    assert await the_answer_is_loaded_again(reader, world) is is_expired


async def test_never_created_entry_of_another_instance_expires_by_the_ttl_of_the_reader(world: World) -> None:
    await world.instance().resolve()
    reader = world.instance(**SHORT)
    assert summary_of(await reader.resolve()) == "absent redis"
    world.clock.advance(3.1)
    assert await the_answer_is_loaded_again(reader, world)


async def test_newer_entry_returned_by_a_write_is_capped(world: World) -> None:
    now = world.clock.monotonic()
    world.redis.entries[KEY] = Entry(KEY, State.INACTIVE, None, 2, now, LocalTime(now + 10))
    older = Entry(KEY, State.ACTIVE, a_value("https://v1"), 1, now, LocalTime(now + 20))
    newer = await world.instance(**SHORT).core.l2.fill(older)
    assert newer is not None
    assert (newer.revision, newer.expires_at) == (2, now + 3)
