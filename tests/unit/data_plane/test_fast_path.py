"""The fast path answers byte for byte as Litestar does, and counts the same."""

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
    REPEATS,
    URLS,
    History,
    access_for,
    assert_same,
    encoded_headers,
    fast_path_only,
    path_of,
)

PATH = "/api/v1/resolve/team-a/payments/prod/v1"
TRACE = f"00-{'a' * 32}-{'b' * 16}-01"
_spellings = st.sampled_from(
    [
        lambda path: path,
        lambda path: path + "/",
        lambda path: path + "//",
        lambda path: path.replace("resolve/", "resolve//"),
        lambda path: path[:-1] + f"%{ord(path[-1]):02x}",
        lambda path: path.replace("/resolve", "/%72esolve"),
        lambda path: path.rsplit("/", 1)[0] + "%2F" + path.rsplit("/", 1)[1],
        lambda path: path.replace("resolve/", "resolve%2f"),
        lambda path: path.upper(),
        lambda path: path + "/explain",
        lambda path: path + "%00",
        lambda path: path + "%",
        lambda path: path.rsplit("/", 1)[0],
    ]
)


_histories = st.builds(
    History,
    key=KEYS,
    urls=st.lists(st.none() | URLS, max_size=3).map(tuple),
    age=st.sampled_from([0, 0.4, 5, 9.99, 10, 59.5, 60, 5000]),
    events_lost=st.booleans(),
    draining=st.booleans(),
)


_active = st.builds(
    History,
    key=KEYS,
    urls=st.tuples(URLS) | st.tuples(URLS, URLS),
    age=st.floats(0, 59.9),
    events_lost=st.just(False),
    draining=st.booleans(),
)


@settings(max_examples=40, deadline=None)
@given(history=_active, headers=HEADERS, caller=CALLERS)
def test_active_route_is_answered_as_by_litestar(history: History, headers: list[tuple[str, str]], caller: str) -> None:
    assert_same(history, Request(path_of(history.key), headers=encoded_headers(headers, caller)))


@pytest.mark.parametrize("caller", ["own", "another tenant's", "anonymous"])
@pytest.mark.parametrize("tag", ['"1"', '"2"'])
def test_head_is_answered_as_by_litestar(tag: str, caller: str) -> None:
    history = History(KEY, ("https://v1", "https://v2"), age=3.0, events_lost=False, draining=False)
    assert_same(history, Request(PATH, "HEAD", headers=encoded_headers([("if-none-match", tag)], caller)))


@settings(max_examples=40, deadline=None)
@given(
    history=_histories | _active,
    other_key=st.booleans(),
    spelling=_spellings,
    method=st.sampled_from(["GET", "HEAD", "POST", "OPTIONS", "PUT"]),
    query=st.sampled_from([b"", b"x=1", b"min_revision=0", b"min_revision=0&min_revision=1", b"x=%ff", b"x=\xff"]),
    headers=HEADERS,
    caller=CALLERS,
)
def test_any_request_is_answered_as_by_litestar(
    history: History,
    other_key: bool,
    spelling: Any,
    method: str,
    query: bytes,
    headers: list[tuple[str, str]],
    caller: str,
) -> None:
    path = path_of(KEY if other_key else history.key)
    assert_same(history, Request(spelling(path), method, query, encoded_headers(headers, caller)))


@pytest.mark.parametrize(
    "headers",
    [
        [("x-long", "x" * 20_000)],
        [("x-long", "x" * 5_000)],
        [(f"x-{number}", "1") for number in range(65)],
        [("host", "localhost"), ("host", "localhost")],
        [("if-none-match", '"1"'), ("if-none-match", '"2"')],
        [("x-min-revision", "2")],
        [("x-min-revision", "2"), ("x-min-revision", "0")],
        [("cache-control", "max-stale=0"), ("cache-control", "max-age=0")],
        [("host", "x:99999")],
        [("content-encoding", "gzip")],
        [("idempotency-key", "a"), ("idempotency-key", "a")],
        [("cache-control", "max-age=0")],
        [("traceparent", TRACE), ("traceparent", TRACE)],
        [("traceparent", TRACE), ("tracestate", "a=1"), ("tracestate", "b=2")],
        [("traceparent", TRACE), ("baggage", "x" * 20_000)],
        [("traceparent", TRACE), ("baggage", "x" * 16_000), ("x-long", "x" * 500)],
        [("traceparent", TRACE), *[(f"x-{number}", "1") for number in range(63)]],
        [("baggage", "x"), *[(f"x-{number}", "1") for number in range(61)]],
    ],
)
def test_unusual_headers_are_answered_as_by_litestar(headers: list[tuple[str, str]]) -> None:
    history = History(KEY, ("https://v1", "https://v2"), age=3.0, events_lost=False, draining=False)
    assert_same(history, Request(PATH, headers=encoded_headers(headers)))


async def _fast_path_with_a_route(access: AccessFixture) -> Application:
    """A fast path with the route in L1 and no application behind it."""
    world = World()
    instance = world.instance()
    await instance.core.applier.apply([world.database.commit(KEY, "https://v1")])
    return fast_path_only(instance, access)


@pytest.mark.parametrize(("tag", "status"), [('"1"', 304), ('"7"', 200)])
@pytest.mark.parametrize("caller", ["own", "admin"])
async def test_l1_hit_does_not_reach_litestar(caller: str, tag: str, status: int) -> None:
    app = await _fast_path_with_a_route(access_for(KEY.tenant, MovableClock()))
    headers = encoded_headers([("host", "resolver:8000"), ("if-none-match", tag)], caller)
    start, _ = await response_messages(app, Request(PATH, headers=headers))
    assert start["status"] == status


@pytest.mark.parametrize(
    ("usual", "trace"),
    [
        ([(f"x-{number}", "1") for number in range(63)], [("traceparent", TRACE)]),
        ([], [("traceparent", TRACE), ("baggage", "x" * 20_000)]),
        ([], [("traceparent", TRACE), ("traceparent", TRACE)]),
    ],
)
async def test_trace_beyond_the_limits_of_a_request_is_refused_to_a_known_caller_too(
    usual: list[tuple[str, str]], trace: list[tuple[str, str]]
) -> None:
    app = await _fast_path_with_a_route(access_for(KEY.tenant, MovableClock()))
    for headers in (usual, [*usual[1:], ("traceparent", TRACE)]):
        for _ in range(REPEATS):
            start, _ = await response_messages(app, Request(PATH, headers=encoded_headers(headers)))
            assert start["status"] == 200
    with pytest.raises(AssertionError, match="passed on to Litestar"):
        await response_messages(app, Request(PATH, headers=encoded_headers([*usual, *trace])))


async def test_revocation_applies_to_the_next_request_of_another_trace() -> None:
    access = access_for(KEY.tenant, MovableClock())
    app = await _fast_path_with_a_route(access)
    traced = [Request(PATH, headers=encoded_headers([("traceparent", TRACE.replace("b", each))])) for each in "cdef"]
    for request in traced[:3]:
        start, _ = await response_messages(app, request)
        assert start["status"] == 200
    access.keyring.end(CREDENTIALS["own"].key_id)
    with pytest.raises(AssertionError, match="passed on to Litestar"):
        await response_messages(app, traced[3])


@pytest.mark.parametrize("caller", ["revoked", "unknown", "anonymous"])
async def test_rejected_caller_is_passed_on_to_litestar(caller: str) -> None:
    app = await _fast_path_with_a_route(access_for(KEY.tenant, MovableClock()))
    with pytest.raises(AssertionError, match="passed on to Litestar"):
        await response_messages(app, Request(PATH, headers=encoded_headers([], caller)))


async def test_revocation_applies_to_the_next_request() -> None:
    access = access_for(KEY.tenant, MovableClock())
    app, request = await _fast_path_with_a_route(access), Request(PATH, headers=encoded_headers([]))
    for _ in range(REPEATS):
        await response_messages(app, request)
    access.keyring.end(CREDENTIALS["own"].key_id)
    with pytest.raises(AssertionError, match="passed on to Litestar"):
        await response_messages(app, request)


async def test_applied_change_is_served_by_the_next_request() -> None:
    world = World()
    instance, access = world.instance(), access_for(KEY.tenant, world.clock)
    app = fast_path_only(instance, access)
    for url in ("https://v1", "https://v2", "https://v3"):
        await instance.core.applier.apply([world.database.commit(KEY, url)])
        for _ in range(REPEATS):
            _, end = await response_messages(app, Request(PATH, headers=encoded_headers([])))
            assert url.encode() in end["body"]
    await instance.core.applier.apply([world.database.commit(KEY, None)])
    start, _ = await response_messages(app, Request(PATH, headers=encoded_headers([])))
    assert start["status"] == 404
