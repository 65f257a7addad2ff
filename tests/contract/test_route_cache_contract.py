"""The RouteCache port: the fake and Redis."""

from collections.abc import AsyncIterator, Sequence
from dataclasses import asdict, dataclass

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from data_plane.adapters.redis.hot_keys import PREFIX
from data_plane.adapters.redis.route_cache import connect
from data_plane.domain.entry import Entry, State, newest
from data_plane.domain.remote_clock import UNPROVEN, PrimaryTime
from data_plane.errors import UnreadableEntry
from data_plane.ports import RouteCache
from deploy.local.stack import Stack
from shared.runtime.resilience import DependencyUnavailable
from tests.fakes.data_plane_cache import FakeRouteCache
from tests.support.active_values import url_of
from tests.support.resolver_adapters import a_key, an_entry, redis_cache

PROVEN_AT = PrimaryTime(1_700_000_000.0)
TOLERANCE = 0.1
"""Seconds. Round trips shorten the remaining TTL; rounding does not matter."""


@dataclass(frozen=True, slots=True)
class _Write:
    """The values of an entry for `an_entry`."""

    revision: int
    remaining: int
    age: int
    proven_at: PrimaryTime
    tenant_revision: int


@pytest.fixture(params=["fake", "real"])
async def cache(request: pytest.FixtureRequest, stack: Stack) -> AsyncIterator[RouteCache]:
    """Each kind of cache."""
    if request.param == "fake":
        yield FakeRouteCache()
        return
    real = redis_cache(stack.urls.redis)
    yield real
    await real.close()


def assert_same(found: Entry | None, expected: Entry) -> None:
    """Equal, apart from the TTL that a round trip costs."""
    assert found is not None
    assert (found.key, found.state, url_of(found), found.revision) == (
        expected.key,
        expected.state,
        url_of(expected),
        expected.revision,
    )
    assert expected.expires_at - TOLERANCE <= found.expires_at <= expected.expires_at + 0.001
    assert expected.read_at - TOLERANCE <= found.read_at <= expected.read_at + 0.001


async def test_unknown_key_has_no_entry(cache: RouteCache) -> None:
    assert await cache.get(a_key()) is None


@pytest.mark.parametrize("state", list(State))
async def test_stored_entry_is_found(cache: RouteCache, state: State) -> None:
    entry = an_entry(a_key(), 3, state, remaining=40, age=20)
    assert list(await cache.put([entry])) == [None]
    assert_same(await cache.get(entry.key), entry)


async def test_get_many_keeps_the_order_of_keys(cache: RouteCache) -> None:
    first, second, absent = an_entry(a_key(), 1), an_entry(a_key(), 2, State.INACTIVE), a_key()
    await cache.put([first, second])
    found = await cache.get_many([second.key, absent, first.key, second.key])
    assert found[1] is None
    for place, expected in ((0, second), (2, first), (3, second)):
        each = found[place]
        assert isinstance(each, Entry)
        assert_same(each, expected)


async def test_expired_entry_is_kept(cache: RouteCache) -> None:
    entry = an_entry(a_key(), 3, remaining=-5, age=65)
    await cache.put([entry])
    assert_same(await cache.get(entry.key), entry)


async def test_older_entry_is_refused_and_the_newer_one_returned(cache: RouteCache) -> None:
    newer = an_entry(a_key(), 7, State.INACTIVE, remaining=10)
    await cache.put([newer])
    [winner] = await cache.put([an_entry(newer.key, 6, remaining=60)])
    assert_same(winner, newer)
    assert_same(await cache.get(newer.key), newer)


async def test_entry_that_expires_later_wins_at_equal_revision(cache: RouteCache) -> None:
    long = an_entry(a_key(), 7, remaining=50)
    short = replace(long, expires_at=long.expires_at - 20)
    await cache.put([short])
    assert list(await cache.put([long])) == [None]
    [winner] = await cache.put([short])
    assert_same(winner, long)


async def test_put_stores_many_entries(cache: RouteCache) -> None:
    newer = an_entry(a_key(), 9)
    await cache.put([newer])
    others = [an_entry(a_key(), 1) for _ in range(120)]
    refused = await cache.put([*others, replace(newer, revision=8)])
    assert [each is None for each in refused] == [True] * 120 + [False]
    assert_same(await cache.get(others[60].key), others[60])


@pytest.mark.parametrize("proven_at", [UNPROVEN, PROVEN_AT])
async def test_entry_is_found_with_what_proves_it(cache: RouteCache, proven_at: PrimaryTime) -> None:
    entry = an_entry(a_key(), 3, proven_at=proven_at, tenant_revision=9)
    await cache.put([entry])
    found = await cache.get(entry.key)
    assert found is not None
    assert (found.proven_at, found.tenant_revision) == (proven_at, 9)


@pytest.mark.parametrize("first_proven_at", [UNPROVEN, PROVEN_AT])
async def test_entry_that_expires_later_does_not_lower_what_is_proven(
    cache: RouteCache, first_proven_at: PrimaryTime
) -> None:
    proven = an_entry(a_key(), 7, remaining=20, age=1, proven_at=first_proven_at, tenant_revision=9)
    longer = replace(an_entry(proven.key, 7, remaining=50, age=9), tenant_revision=8)
    await cache.put([proven])
    assert list(await cache.put([longer])) == [None]
    found = await cache.get(proven.key)
    assert_same(found, replace(proven, expires_at=longer.expires_at))
    assert found is not None
    assert (found.proven_at, found.tenant_revision) == (first_proven_at, 9)


async def test_entry_with_another_value_of_the_same_revision_inherits_no_proof(cache: RouteCache) -> None:
    inactive = an_entry(a_key(), 7, State.INACTIVE, remaining=5, proven_at=PROVEN_AT, tenant_revision=9)
    active = an_entry(inactive.key, 7, remaining=50, age=9)
    await cache.put([inactive])
    await cache.put([active])
    found = await cache.get(inactive.key)
    assert_same(found, active)
    assert found is not None
    assert (found.proven_at, found.tenant_revision) == (UNPROVEN, 7)


_writes = st.lists(
    st.builds(
        _Write,
        revision=st.integers(0, 3),
        remaining=st.integers(-20, 60),
        age=st.integers(0, 60),
        proven_at=st.just(UNPROVEN) | st.integers(0, 100).map(lambda seconds: PrimaryTime(PROVEN_AT + seconds)),
        tenant_revision=st.integers(0, 9),
    ),
    min_size=1,
    max_size=12,
    unique_by=lambda each: each.remaining,  # Redis stores milliseconds: equal times need not compare as here.
)


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(writes=_writes)
async def test_cache_keeps_the_highest_revision_then_the_latest_expiry_and_every_proof(
    cache: RouteCache, writes: Sequence[_Write]
) -> None:
    key = a_key()
    entries = [an_entry(key, **asdict(each)) for each in writes]
    expected = entries[0]
    for entry in entries:
        await cache.put([entry])
        if (entry.revision, entry.expires_at) > (expected.revision, expected.expires_at):
            expected = newest(expected, entry)
    found = await cache.get(key)
    assert_same(found, expected)
    assert found is not None
    assert (found.proven_at, found.tenant_revision) == (expected.proven_at, expected.tenant_revision)


async def test_unreadable_value_raises_and_can_be_overwritten(stack: Stack) -> None:
    cache, client = redis_cache(stack.urls.redis), connect(stack.urls.redis, 2)
    for rubbish in (b"\x00", b"not an entry", b"\x95\x01\x02\xa0\x03\x04", b"\x95\xa1x\x02\xa0\x03\x04", b""):
        key = a_key()
        await client.set(PREFIX + str(key).encode(), rubbish)
        with pytest.raises(UnreadableEntry, match=str(key)):
            await cache.get(key)
        entry = an_entry(key, 2**40)
        assert list(await cache.put([entry])) == [None]
        assert_same(await cache.get(key), entry)
    await client.aclose()
    await cache.close()


async def test_entry_is_kept_past_its_ttl_by_the_configured_time(stack: Stack) -> None:
    cache, client = redis_cache(stack.urls.redis), connect(stack.urls.redis, 2)
    entry = an_entry(a_key(), 1, remaining=60)
    await cache.put([entry])
    assert 3600 < await client.pttl(PREFIX + str(entry.key).encode()) / 1000 <= 3660
    await client.aclose()
    await cache.close()


async def test_write_delayed_by_a_frozen_server_expires_on_time(stack: Stack) -> None:
    cache = redis_cache(stack.urls.redis, timeout_seconds=0.3)
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
    assert found is not None, "the server has executed the command that was in its socket"
    assert found.expires_at <= entry.expires_at + 0.001
    await other.close()
    await cache.close()


async def test_stopped_server_is_unavailable_and_usable_after_restart(stack: Stack) -> None:
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


async def test_entry_of_an_absent_route_is_not_kept_past_its_ttl(stack: Stack) -> None:
    entry = an_entry(a_key(), 1, State.ABSENT, remaining=10)
    cache, client = redis_cache(stack.urls.redis), connect(stack.urls.redis, 2.0)
    await cache.put([entry])
    assert 0 < await client.pttl(PREFIX + str(entry.key).encode()) / 1000 <= 10
    await cache.close()
    await client.aclose()
