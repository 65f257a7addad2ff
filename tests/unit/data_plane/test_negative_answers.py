"""The layer before Litestar tells that a route is not there as Litestar would, and never why."""

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
    NEGATIVE_LIFE,
    TIMES,
    URLS,
    Past,
    access_for,
    assert_same,
    fast_path_only,
    on_the_wire,
    path_of,
)

NEVER_THERE = replace(KEY, version="never-there")
OF_NO_TENANT = replace(KEY, tenant="nobody")
SAME_ID = [("x-correlation-id", "req-1")]

_gone = st.builds(
    Past,
    key=KEYS,
    urls=st.lists(URLS | st.none(), max_size=2).map(lambda urls: (*urls, None)),
    age=st.floats(0, NEGATIVE_LIFE + 0.5),
    doubted=st.booleans(),
    draining=st.booleans(),
)
_never_there = st.builds(
    Past,
    key=KEYS,
    urls=st.just(()) | st.tuples(URLS),
    age=st.just(0),
    doubted=st.booleans(),
    draining=st.booleans(),
)


@settings(max_examples=60, deadline=None)
@given(past=_gone, headers=HEADERS, caller=CALLERS)
def test_a_tombstone_is_answered_as_by_litestar(past: Past, headers: list[tuple[str, str]], caller: str) -> None:
    assert_same(past, Request(path_of(past.key), headers=on_the_wire(headers, caller)))


@settings(max_examples=60, deadline=None)
@given(past=_never_there, headers=HEADERS, caller=CALLERS)
def test_what_never_was_is_answered_as_by_litestar(past: Past, headers: list[tuple[str, str]], caller: str) -> None:
    # Of a tenant that has another route, or of one that was never made.
    never = replace(past.key, version=f"{past.key.version}0")
    assert_same(past, Request(path_of(never), headers=on_the_wire(headers, caller)))


@settings(max_examples=40, deadline=None)
@given(past=_gone | _never_there, method=st.sampled_from(["HEAD", "OPTIONS"]), query=st.sampled_from([b"", b"x=1"]))
def test_another_method_is_answered_as_by_litestar(past: Past, method: str, query: bytes) -> None:
    assert_same(past, Request(path_of(past.key), method, query, on_the_wire([])))


@pytest.mark.parametrize("part", ["UPPER", "-dash", "dot.", "a" * 64, "a+b", "%61", "", "a\n", "a%0A", "\u00e4", ".."])
@pytest.mark.parametrize("place", range(4))
@pytest.mark.parametrize("caller", ["own", "another tenant's", "admin"])
def test_what_can_be_no_route_is_answered_as_by_litestar(part: str, place: int, caller: str) -> None:
    parts = ["team-a", "payments", "prod", "v1"]
    parts[place] = part
    past = Past(KEY, (), age=0, doubted=False, draining=False)
    assert_same(past, Request(f"/api/v1/resolve/{'/'.join(parts)}", headers=on_the_wire([], caller)))


@pytest.fixture
def world() -> World:
    return World()


async def _told(app: Application, key: RouteKey, caller: str) -> list[MutableMapping[str, Any]]:
    return await response_messages(app, Request(path_of(key), headers=on_the_wire(SAME_ID, caller)))


async def _with_a_tombstone(world: World) -> Instance:
    """An instance that knows one route to be inactive, one never to have been, and one tenant not to exist."""
    instance = world.instance()
    await instance.core.applier.apply([world.database.commit(KEY, "https://v1"), world.database.commit(KEY, None)])
    for key in (NEVER_THERE, OF_NO_TENANT):
        await instance.resolve(key)
    return instance


@pytest.mark.parametrize(
    ("caller", "key"),
    [("own", KEY), ("own", NEVER_THERE), ("own", OF_NO_TENANT), ("admin", OF_NO_TENANT), ("another tenant's", KEY)],
)
async def test_what_is_known_not_to_be_there_is_answered_without_litestar(
    world: World, caller: str, key: RouteKey
) -> None:
    app = fast_path_only(await _with_a_tombstone(world), access_for(KEY.tenant, world.clock))
    for _ in range(TIMES):
        start, _ = await _told(app, key, caller)
        assert start["status"] == 404


@pytest.mark.parametrize("key", [KEY, NEVER_THERE, OF_NO_TENANT])
async def test_it_is_asked_for_again_after_its_life(world: World, key: RouteKey) -> None:
    app = fast_path_only(await _with_a_tombstone(world), access_for(KEY.tenant, world.clock))
    world.clock.advance(NEGATIVE_LIFE - 0.1)
    start, _ = await _told(app, key, "admin")
    assert {(b"cache-control", b"max-age=0"), (b"age", b"9")} <= set(start["headers"])
    world.clock.advance(0.1)
    with pytest.raises(AssertionError, match="left to Litestar"):
        await _told(app, key, "admin")


async def test_another_tenants_route_is_told_of_as_one_of_no_tenant_however_often_its_owner_asks(world: World) -> None:
    instance, gate = world.instance(), access_for(KEY.tenant, world.clock)
    await instance.core.applier.apply([world.database.commit(KEY, "https://v1")])
    app = fast_path_only(instance, gate)
    world.clock.advance(0.3)  # so that what is remembered holds for a moment
    for caller in ("own", "admin"):
        for _ in range(TIMES):
            start, _ = await _told(app, KEY, caller)
            assert start["status"] == 200
    theirs, nobodys = [await _told(app, key, "another tenant's") for key in (KEY, OF_NO_TENANT)]
    assert theirs[0] == nobodys[0]
    assert theirs[1]["body"].replace(b"team-a", b"nobody") == nobodys[1]["body"]


async def test_who_asks_for_another_tenants_route_does_not_keep_it_in_the_cache(world: World) -> None:
    # With room for two, the first of three stays only if it was asked for more than once.
    instance, gate = world.instance(l1_entries=2), access_for(KEY.tenant, world.clock)
    app = fast_path_only(instance, gate)
    await instance.core.applier.apply([world.database.commit(KEY, "https://v1")])
    for _ in range(TIMES):
        await _told(app, KEY, "another tenant's")
    others = [replace(KEY, version=f"v{number}") for number in (2, 3)]
    await instance.core.applier.apply([world.database.commit(key, "https://v1") for key in others])
    with pytest.raises(AssertionError, match="left to Litestar"):
        await _told(app, KEY, "own")
