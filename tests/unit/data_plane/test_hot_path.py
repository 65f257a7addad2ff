"""The layer before Litestar answers what Litestar would, byte for byte, and counts as it does."""

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.fakes.data_plane_world import KEY, World
from tests.support.access import AccessFixture
from tests.support.asgi import Application, Request, response_messages
from tests.support.clocks import MovableClock
from tests.support.fast_path_oracle import (
    CALLERS,
    CREDENTIALS,
    HEADERS,
    KEYS,
    TIMES,
    URLS,
    Past,
    access_for,
    assert_same,
    fast_path_only,
    on_the_wire,
    path_of,
)

PATH = "/api/v1/resolve/team-a/payments/prod/v1"
_spellings = st.sampled_from(
    [
        lambda path: path,
        lambda path: path + "/",
        lambda path: path + "//",
        lambda path: path.replace("resolve/", "resolve//"),
        lambda path: path[:-1] + f"%{ord(path[-1]):02x}",
        lambda path: path.replace("/resolve", "/%72esolve"),
        lambda path: path.rsplit("/", 1)[0] + "%2F" + path.rsplit("/", 1)[1],
        lambda path: path.upper(),
        lambda path: path + "/explain",
        lambda path: path + "%00",
        lambda path: path + "%",
        lambda path: path.rsplit("/", 1)[0],
    ]
)


_pasts = st.builds(
    Past,
    key=KEYS,
    urls=st.lists(st.none() | URLS, max_size=3).map(tuple),
    age=st.sampled_from([0, 0.4, 5, 9.99, 10, 59.5, 60, 5000]),
    doubted=st.booleans(),
    draining=st.booleans(),
)


_knows = st.builds(
    Past,
    key=KEYS,
    urls=st.tuples(URLS) | st.tuples(URLS, URLS),
    age=st.floats(0, 59.9),
    doubted=st.just(False),
    draining=st.booleans(),
)


@settings(max_examples=40, deadline=None)
@given(past=_knows, headers=HEADERS, caller=CALLERS)
def test_what_is_known_is_answered_as_by_litestar(past: Past, headers: list[tuple[str, str]], caller: str) -> None:
    assert_same(past, Request(path_of(past.key), headers=on_the_wire(headers, caller)))


@settings(max_examples=40, deadline=None)
@given(
    past=_pasts | _knows,
    other_key=st.booleans(),
    spelling=_spellings,
    method=st.sampled_from(["GET", "HEAD", "POST", "OPTIONS", "PUT"]),
    query=st.sampled_from([b"", b"x=1", b"min_revision=0"]),
    headers=HEADERS,
    caller=CALLERS,
)
def test_whatever_is_asked_is_answered_as_by_litestar(
    past: Past, other_key: bool, spelling: Any, method: str, query: bytes, headers: list[tuple[str, str]], caller: str
) -> None:
    path = path_of(KEY if other_key else past.key)
    assert_same(past, Request(spelling(path), method, query, on_the_wire(headers, caller)))


@pytest.mark.parametrize(
    "headers",
    [
        [("x-long", "x" * 20_000)],
        [("x-long", "x" * 5_000)],
        [(f"x-{number}", "1") for number in range(65)],
        [("host", "localhost"), ("host", "localhost")],
        [("if-none-match", '"1"'), ("if-none-match", '"2"')],
        [("x-min-revision", "2")],
        [("cache-control", "max-age=0")],
    ],
)
def test_headers_out_of_the_ordinary_are_answered_as_by_litestar(headers: list[tuple[str, str]]) -> None:
    past = Past(KEY, ("https://v1", "https://v2"), age=3.0, doubted=False, draining=False)
    assert_same(past, Request(PATH, headers=on_the_wire(headers)))


async def _knowing(gate: AccessFixture) -> Application:
    """A hot path that knows the route, over nothing."""
    world = World()
    instance = world.instance()
    await instance.core.applier.apply([world.database.commit(KEY, "https://v1")])
    return fast_path_only(instance, gate)


@pytest.mark.parametrize(("tag", "status"), [('"1"', 304), ('"7"', 200)])
@pytest.mark.parametrize("caller", ["own", "admin"])
async def test_a_known_route_is_answered_without_litestar(caller: str, tag: str, status: int) -> None:
    app = await _knowing(access_for(KEY.tenant, MovableClock()))
    headers = on_the_wire([("host", "resolver:8000"), ("if-none-match", tag)], caller)
    start, _ = await response_messages(app, Request(PATH, headers=headers))
    assert start["status"] == status


@pytest.mark.parametrize("caller", ["revoked", "unknown", "nobody"])
async def test_whoever_is_not_accepted_is_left_to_litestar(caller: str) -> None:
    app = await _knowing(access_for(KEY.tenant, MovableClock()))
    with pytest.raises(AssertionError, match="left to Litestar"):
        await response_messages(app, Request(PATH, headers=on_the_wire([], caller)))


async def test_a_revocation_counts_for_the_very_next_request() -> None:
    gate = access_for(KEY.tenant, MovableClock())
    app, request = await _knowing(gate), Request(PATH, headers=on_the_wire([]))
    for _ in range(TIMES):
        await response_messages(app, request)
    gate.keyring.end(CREDENTIALS["own"].key_id)
    with pytest.raises(AssertionError, match="left to Litestar"):
        await response_messages(app, request)


async def test_a_change_is_answered_from_the_very_next_request_on() -> None:
    world = World()
    instance, gate = world.instance(), access_for(KEY.tenant, world.clock)
    app = fast_path_only(instance, gate)
    for url in ("https://v1", "https://v2", "https://v3"):
        await instance.core.applier.apply([world.database.commit(KEY, url)])
        for _ in range(TIMES):
            _, end = await response_messages(app, Request(PATH, headers=on_the_wire([])))
            assert url.encode() in end["body"]
    await instance.core.applier.apply([world.database.commit(KEY, None)])
    start, _ = await response_messages(app, Request(PATH, headers=on_the_wire([])))
    assert start["status"] == 404
