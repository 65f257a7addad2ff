"""What the resolver relies on in the shared cache, of the fake and of Redis."""

from collections.abc import AsyncIterator, Sequence

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from data_plane.adapters.redis.route_cache import REDIS_FAILURES, RedisRouteCache, connect
from data_plane.domain.entry import Entry, State
from data_plane.errors import UnreadableEntry
from data_plane.ports import RouteCache
from deploy.local.stack import Stack
from shared.runtime.clock import LocalTime, SystemClock
from shared.runtime.health import DependencyHealth
from shared.runtime.metric_catalogue import Service
from shared.runtime.metrics import Metrics
from shared.runtime.resilience import DependencyUnavailable, Guard
from shared.schemas.identity import RouteKey
from tests.fakes.data_plane_cache import FakeRouteCache
from tests.support.factories import a_tenant

CLOCK = SystemClock()
TOLERANCE = 0.1
"""Seconds. Round trips shorten lives; rounding does not matter."""


def redis_cache(url: str, timeout: float = 2.0) -> RedisRouteCache:
    """A cache of its own on that server."""
    metrics = Metrics(Service.DATA_PLANE)
    guard = Guard(
        "redis",
        timeout=timeout,
        failures=REDIS_FAILURES,
        clock=CLOCK,
        health=DependencyHealth(required=False),
        metrics=metrics,
    )
    return RedisRouteCache(connect(url, timeout), guard=guard, clock=CLOCK, metrics=metrics, keep_seconds=3600)


@pytest.fixture(params=["fake", "real"])
async def cache(request: pytest.FixtureRequest, stack: Stack) -> AsyncIterator[RouteCache]:
    """Each kind of cache in turn."""
    if request.param == "fake":
        yield FakeRouteCache()
        return
    real = redis_cache(stack.urls.redis)
    yield real
    await real.close()


def a_key() -> RouteKey:
    return RouteKey(a_tenant(), "payments", "prod", "v1")


def an_entry(
    key: RouteKey, revision: int, state: State = State.ACTIVE, *, remaining: float = 60, age: float = 0
) -> Entry:
    now = CLOCK.monotonic()
    url = f"https://example.com/{revision}" if state is State.ACTIVE else None
    return Entry(key, state, url, revision, LocalTime(now - age), LocalTime(now + remaining))


def assert_same(found: Entry | None, expected: Entry) -> None:
    """Equal, apart from what the way there and back may take from a life."""
    assert found is not None
    assert (found.key, found.state, found.url, found.revision) == (
        expected.key,
        expected.state,
        expected.url,
        expected.revision,
    )
    assert expected.expires_at - TOLERANCE <= found.expires_at <= expected.expires_at + 0.001
    assert expected.read_at - TOLERANCE <= found.read_at <= expected.read_at + 0.001


async def test_nothing_is_there_at_first(cache: RouteCache) -> None:
    assert await cache.get(a_key()) is None


@pytest.mark.parametrize("state", list(State))
async def test_what_was_stored_is_found(cache: RouteCache, state: State) -> None:
    entry = an_entry(a_key(), 3, state, remaining=40, age=20)
    assert list(await cache.put([entry])) == [None]
    assert_same(await cache.get(entry.key), entry)


async def test_many_are_looked_up_each_in_its_place(cache: RouteCache) -> None:
    first, second, absent = an_entry(a_key(), 1), an_entry(a_key(), 2, State.INACTIVE), a_key()
    await cache.put([first, second])
    found = await cache.get_many([second.key, absent, first.key, second.key])
    assert found[1] is None
    for place, expected in ((0, second), (2, first), (3, second)):
        told = found[place]
        assert isinstance(told, Entry)
        assert_same(told, expected)


async def test_an_expired_entry_is_kept(cache: RouteCache) -> None:
    entry = an_entry(a_key(), 3, remaining=-5, age=65)
    await cache.put([entry])
    assert_same(await cache.get(entry.key), entry)


async def test_an_older_entry_is_refused_and_the_newer_one_returned(cache: RouteCache) -> None:
    newer = an_entry(a_key(), 7, State.INACTIVE, remaining=10)
    await cache.put([newer])
    [stood] = await cache.put([an_entry(newer.key, 6, remaining=60)])
    assert_same(stood, newer)
    assert_same(await cache.get(newer.key), newer)


async def test_of_one_revision_the_one_that_lives_longer_is_kept(cache: RouteCache) -> None:
    long = an_entry(a_key(), 7, remaining=50)
    short = replace(long, expires_at=long.expires_at - 20)
    await cache.put([short])
    assert list(await cache.put([long])) == [None]
    [stood] = await cache.put([short])
    assert_same(stood, long)


async def test_many_are_stored_at_once(cache: RouteCache) -> None:
    newer = an_entry(a_key(), 9)
    await cache.put([newer])
    others = [an_entry(a_key(), 1) for _ in range(120)]
    refused = await cache.put([*others, replace(newer, revision=8)])
    assert [each is None for each in refused] == [True] * 120 + [False]
    assert_same(await cache.get(others[60].key), others[60])


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(writes=st.lists(st.tuples(st.integers(0, 5), st.integers(-20, 60)), min_size=1, max_size=12))
async def test_compare_and_set_is_the_newest_then_the_longest_lived(
    cache: RouteCache, writes: Sequence[tuple[int, int]]
) -> None:
    key = a_key()
    entries = [an_entry(key, revision, remaining=remaining) for revision, remaining in writes]
    for entry in entries:
        await cache.put([entry])
    found = await cache.get(key)
    assert found is not None
    expected = max(entries, key=lambda entry: (entry.revision, entry.expires_at))
    assert found.revision == expected.revision
    assert abs(found.expires_at - expected.expires_at) < TOLERANCE


async def test_what_is_no_entry_is_told_apart_and_overwritten(stack: Stack) -> None:
    cache, client = redis_cache(stack.urls.redis), connect(stack.urls.redis, 2)
    for rubbish in (b"\x00", b"not an entry", b"\x95\x01\x02\xa0\x03\x04", b"\x95\xa1x\x02\xa0\x03\x04", b""):
        key = a_key()
        await client.set(f"route:{key}", rubbish)
        with pytest.raises(UnreadableEntry, match=str(key)):
            await cache.get(key)
        entry = an_entry(key, 2**40)
        assert list(await cache.put([entry])) == [None]
        assert_same(await cache.get(key), entry)
    await client.aclose()
    await cache.close()


async def test_it_keeps_entries_past_their_life_and_no_longer(stack: Stack) -> None:
    cache, client = redis_cache(stack.urls.redis), connect(stack.urls.redis, 2)
    entry = an_entry(a_key(), 1, remaining=60)
    await cache.put([entry])
    assert 3600 < await client.pttl(f"route:{entry.key}") / 1000 <= 3660
    await client.aclose()
    await cache.close()


async def test_a_write_that_a_frozen_server_executes_late_lives_no_longer_for_it(stack: Stack) -> None:
    cache = redis_cache(stack.urls.redis, timeout=0.3)
    entry = an_entry(a_key(), 1, remaining=1.0)
    await cache.put([an_entry(a_key(), 1)])
    await stack.redis.freeze()
    try:
        with pytest.raises(DependencyUnavailable):
            await cache.put([entry])
    finally:
        await stack.redis.thaw()
    other = redis_cache(stack.urls.redis)
    found = await other.get(entry.key)
    assert found is not None, "the server has executed what lay in its socket"
    assert found.expires_at <= entry.expires_at + 0.001
    await other.close()
    await cache.close()


async def test_a_server_that_is_down_is_unavailable_and_back_at_once(stack: Stack) -> None:
    cache, entry = redis_cache(stack.urls.redis), an_entry(a_key(), 1)
    await cache.put([entry])
    await stack.redis.stop()
    try:
        with pytest.raises(DependencyUnavailable):
            await cache.get(entry.key)
        with pytest.raises(DependencyUnavailable):
            await cache.put([entry])
    finally:
        await stack.redis.start()
    assert await cache.get(entry.key) is None
    assert list(await cache.put([entry])) == [None]
    assert_same(await cache.get(entry.key), entry)
    await cache.close()
