"""The fast path answers a 404 byte for byte as Litestar does, and does not reveal other tenants' routes."""

from collections.abc import MutableMapping
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from shared.schemas.identity import RouteKey
from tests.fakes.data_plane_world import KEY, Instance, World
from tests.support.asgi import Application, Request, response_messages
from tests.support.fast_path_oracle import (
    CALLERS,
    HEADERS,
    KEYS,
    NEGATIVE_TTL_SECONDS,
    REPEATS,
    URLS,
    History,
    access_for,
    assert_same,
    encoded_headers,
    fast_path_only,
    path_of,
)

NEVER_CREATED = replace(KEY, version="never-created")
UNKNOWN_TENANT = replace(KEY, tenant="team-x")
SAME_CORRELATION_ID = [("x-correlation-id", "req-1")]

_deactivated = st.builds(
    History,
    key=KEYS,
    urls=st.lists(URLS | st.none(), max_size=2).map(lambda urls: (*urls, None)),
    age=st.floats(0, NEGATIVE_TTL_SECONDS + 0.5),
    events_lost=st.booleans(),
    draining=st.booleans(),
)
_never_created = st.builds(
    History,
    key=KEYS,
    urls=st.just(()) | st.tuples(URLS),
    age=st.just(0),
    events_lost=st.booleans(),
    draining=st.booleans(),
)


@settings(max_examples=60, deadline=None)
@given(history=_deactivated, headers=HEADERS, caller=CALLERS)
def test_tombstone_is_answered_as_by_litestar(history: History, headers: list[tuple[str, str]], caller: str) -> None:
    assert_same(history, Request(path_of(history.key), headers=encoded_headers(headers, caller)))


@settings(max_examples=60, deadline=None)
@given(history=_never_created, headers=HEADERS, caller=CALLERS)
def test_never_created_route_is_answered_as_by_litestar(
    history: History, headers: list[tuple[str, str]], caller: str
) -> None:
    # The tenant has another route, or does not exist.
    never = replace(history.key, version=f"{history.key.version}0")
    assert_same(history, Request(path_of(never), headers=encoded_headers(headers, caller)))


@settings(max_examples=40, deadline=None)
@given(
    history=_deactivated | _never_created,
    method=st.sampled_from(["HEAD", "OPTIONS"]),
    query=st.sampled_from([b"", b"x=1"]),
)
def test_other_methods_are_answered_as_by_litestar(history: History, method: str, query: bytes) -> None:
    assert_same(history, Request(path_of(history.key), method, query, encoded_headers([])))


@pytest.mark.parametrize("part", ["UPPER", "-dash", "dot.", "a" * 64, "a+b", "%61", "", "a\n", "a%0A", "\u00e4", ".."])
@pytest.mark.parametrize("place", range(4))
@pytest.mark.parametrize("caller", ["own", "another tenant's", "admin"])
def test_malformed_key_is_answered_as_by_litestar(part: str, place: int, caller: str) -> None:
    parts = ["team-a", "payments", "prod", "v1"]
    parts[place] = part
    history = History(KEY, (), age=0, events_lost=False, draining=False)
    assert_same(history, Request(f"/api/v1/resolve/{'/'.join(parts)}", headers=encoded_headers([], caller)))


@pytest.fixture
def world() -> World:
    return World()


async def _get(app: Application, key: RouteKey, caller: str) -> list[MutableMapping[str, Any]]:
    return await response_messages(app, Request(path_of(key), headers=encoded_headers(SAME_CORRELATION_ID, caller)))


async def _with_negative_entries(world: World) -> Instance:
    """An instance with a tombstone, a never-created route and an unknown tenant in L1."""
    instance = world.instance()
    await instance.core.applier.apply([world.database.commit(KEY, "https://v1"), world.database.commit(KEY, None)])
    for key in (NEVER_CREATED, UNKNOWN_TENANT):
        await instance.resolve(key)
    return instance


@pytest.mark.parametrize(
    ("caller", "key"),
    [
        ("own", KEY),
        ("own", NEVER_CREATED),
        ("own", UNKNOWN_TENANT),
        ("admin", UNKNOWN_TENANT),
        ("another tenant's", KEY),
    ],
)
async def test_negative_l1_hit_does_not_reach_litestar(world: World, caller: str, key: RouteKey) -> None:
    app = fast_path_only(await _with_negative_entries(world), access_for(KEY.tenant, world.clock))
    for _ in range(REPEATS):
        start, _ = await _get(app, key, caller)
        assert start["status"] == 404


@pytest.mark.parametrize("key", [KEY, NEVER_CREATED, UNKNOWN_TENANT])
async def test_expired_negative_entry_is_passed_on_to_litestar(world: World, key: RouteKey) -> None:
    app = fast_path_only(await _with_negative_entries(world), access_for(KEY.tenant, world.clock))
    world.clock.advance(NEGATIVE_TTL_SECONDS - 0.1)
    start, _ = await _get(app, key, "admin")
    assert {(b"cache-control", b"max-age=0"), (b"age", b"9")} <= set(start["headers"])
    world.clock.advance(0.1)
    with pytest.raises(AssertionError, match="passed on to Litestar"):
        await _get(app, key, "admin")


async def test_cached_route_of_another_tenant_looks_like_an_unknown_tenant(world: World) -> None:
    instance, access = world.instance(), access_for(KEY.tenant, world.clock)
    await instance.core.applier.apply([world.database.commit(KEY, "https://v1")])
    app = fast_path_only(instance, access)
    world.clock.advance(0.3)  # so that remembered responses are valid for a moment
    for caller in ("own", "admin"):
        for _ in range(REPEATS):
            start, _ = await _get(app, KEY, caller)
            assert start["status"] == 200
    other_tenant, unknown_tenant = [await _get(app, key, "another tenant's") for key in (KEY, UNKNOWN_TENANT)]
    assert other_tenant[0] == unknown_tenant[0]
    assert other_tenant[1]["body"].replace(b"team-a", b"team-x") == unknown_tenant[1]["body"]


async def test_requests_of_another_tenant_do_not_count_as_uses_of_an_entry(world: World) -> None:
    # With room for two, the first of three stays only if it was asked for more than once.
    instance, access = world.instance(l1_entries=2), access_for(KEY.tenant, world.clock)
    app = fast_path_only(instance, access)
    await instance.core.applier.apply([world.database.commit(KEY, "https://v1")])
    for _ in range(REPEATS):
        await _get(app, KEY, "another tenant's")
    others = [replace(KEY, version=f"v{number}") for number in (2, 3)]
    await instance.core.applier.apply([world.database.commit(key, "https://v1") for key in others])
    with pytest.raises(AssertionError, match="passed on to Litestar"):
        await _get(app, KEY, "own")
