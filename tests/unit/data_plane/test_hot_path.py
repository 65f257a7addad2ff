"""The layer before Litestar answers what Litestar would, byte for byte, and counts as it does."""

import asyncio
import re
from collections.abc import Mapping, MutableMapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from data_plane.app import build_app
from data_plane.http.hot_path import HotPath
from shared.runtime.access.tokens import AccessKey
from shared.runtime.catalogue import Service
from shared.runtime.health import Health
from shared.schemas.access import Role
from shared.schemas.identity import RouteKey
from tests.access import Gate, a_record
from tests.asgi import Application, Request, answer_of
from tests.clocks import MovableClock
from tests.fakes.data_plane_world import KEY, Instance, World

PATH = "/api/v1/resolve/team-a/payments/prod/v1"
TIMES = 5
_GENERATED = re.compile(rb"req-[0-9a-f]{16}")
_COUNTED = (
    "tm_http_requests_total",
    "tm_http_request_duration_seconds_count",
    "tm_resolutions_total",
    "tm_cache_lookups_total",
    "tm_auth_total",
)

_names = st.from_regex(r"[a-z0-9]([a-z0-9._-]{0,8}[a-z0-9])?", fullmatch=True)
_versions = st.from_regex(r"[A-Za-z0-9]([A-Za-z0-9._+-]{0,8}[A-Za-z0-9])?", fullmatch=True)
_keys = st.builds(RouteKey, _names, _names, _names, _versions)
_urls = st.text(st.characters(codec="utf-8"), min_size=1, max_size=40)
_tags = st.sampled_from(['"1"', '"2"', 'W/"1"', "*", ' "1" ', '"2", "1"', "1", '""', "", '"ä"', '"1', "*, *"])
_headers = st.lists(
    st.one_of(
        st.tuples(st.just("if-none-match"), _tags),
        st.tuples(st.just("if-none-match"), st.text(st.characters(max_codepoint=255), max_size=12)),
        st.tuples(st.just("cache-control"), st.sampled_from(["max-stale=0", "no-cache", "max-age=5", ""])),
        st.tuples(st.just("x-correlation-id"), st.sampled_from(["abc-1", "", "a b", "x" * 128, "x" * 129, "ä"])),
        st.tuples(st.just("host"), st.sampled_from(["localhost", "127.0.0.1:8000", "[::1]:80", "a b", "", "ä", "a_b"])),
        st.tuples(st.sampled_from(["accept", "user-agent", "content-type", "content-length"]), st.just("text/plain")),
    ),
    max_size=4,
)
_callers = st.sampled_from(
    ["own", "own", "own", "admin", "another tenant's", "expiring", "revoked", "unknown", "nobody"]
)
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


@dataclass(frozen=True, slots=True)
class Past:
    """What has happened to the instance before it is asked."""

    key: RouteKey
    urls: tuple[str | None, ...]
    age: float
    doubted: bool
    draining: bool


_pasts = st.builds(
    Past,
    key=_keys,
    urls=st.lists(st.none() | _urls, max_size=3).map(tuple),
    age=st.sampled_from([0, 0.4, 5, 9.99, 10, 59.5, 60, 5000]),
    doubted=st.booleans(),
    draining=st.booleans(),
)


_knows = st.builds(
    Past,
    key=_keys,
    urls=st.tuples(_urls) | st.tuples(_urls, _urls),
    age=st.floats(0, 59.9),
    doubted=st.just(False),
    draining=st.booleans(),
)


CREDENTIALS = {name: AccessKey.new() for name in ("own", "another tenant's", "admin", "expiring", "revoked", "unknown")}


def _gate(tenant: str, clock: MovableClock) -> Gate:
    """Access for the callers in CREDENTIALS: resolvers of the tenant or another one, and an admin."""
    gate, soon = Gate(Service.DATA_PLANE, clock=clock), clock.now() + timedelta(seconds=60.5)
    gate.keyring.put(a_record(CREDENTIALS["own"], role=Role.RESOLVER, tenant=tenant))
    gate.keyring.put(a_record(CREDENTIALS["another tenant's"], role=Role.RESOLVER, tenant=f"not-{tenant}"))
    gate.keyring.put(a_record(CREDENTIALS["admin"], role=Role.ADMIN))
    gate.keyring.put(a_record(CREDENTIALS["expiring"], role=Role.RESOLVER, tenant=tenant, expires_at=soon))
    gate.keyring.put(a_record(CREDENTIALS["revoked"], role=Role.RESOLVER, tenant=tenant))
    gate.keyring.end(CREDENTIALS["revoked"].key_id)
    return gate


class Subject:
    """An instance with a past of its own, behind its application with or without the hot path."""

    def __init__(self, past: Past, *, hot: bool) -> None:
        world = World()
        self.instance: Instance = world.instance()
        self._world = world
        self.clock = world.clock
        self.gate = _gate(past.key.tenant, world.clock)
        health = Health({}, started=True, draining=past.draining)
        metrics = self.instance.metrics
        core = self.instance.core
        app = build_app(
            core.resolver,
            core.bulk,
            core.explainer,
            access=self.gate.access,
            negative_life=10,
            health=health,
            metrics=metrics,
        )
        self.app: Application = app
        if hot:
            self.app = HotPath(
                app, core.local_answers, authenticator=self.gate.authenticator, health=health, metrics=metrics
            )

    async def live_through(self, past: Past) -> None:
        """Let it happen."""
        events = [self._world.database.commit(past.key, url) for url in past.urls]
        await self.instance.core.applier.apply(events)
        if past.doubted:
            self.instance.core.applier.lost_track()
        self.clock.advance(past.age)

    def counts(self) -> Mapping[str, float]:
        """The counters that a request moves and that are not 0."""
        lines = self.instance.metrics.exposition().decode().splitlines()
        lines += self.gate.metrics.exposition().decode().splitlines()
        samples = [line.rsplit(" ", 1) for line in lines if line.startswith(_COUNTED)]
        return {name: float(value) for name, value in samples if float(value)}


async def _seen_of(past: Past, request: Request, *, hot: bool) -> tuple[str, Mapping[str, float]]:
    """What a caller sees who asks again and again, so that much is remembered, and what is counted."""
    subject = Subject(past, hot=hot)
    await subject.live_through(past)
    seen = []
    for _ in range(TIMES):
        seen += await answer_of(subject.app, request)
        subject.instance.hear_heartbeat()
        subject.clock.advance(0.3)
    return _comparable(seen), subject.counts()


def _comparable(messages: list[MutableMapping[str, Any]]) -> str:
    """The messages, with every generated correlation id made the same."""
    return repr([{key: _anonymous(value) for key, value in message.items()} for message in messages])


def _anonymous(value: Any) -> Any:
    if isinstance(value, bytes):
        return _GENERATED.sub(b"req-", value)
    if isinstance(value, list):
        return [(name, _anonymous(each)) for name, each in value]
    return value


def _path(key: RouteKey) -> str:
    return f"/api/v1/resolve/{key.tenant}/{key.service}/{key.env}/{key.version}"


def _on_the_wire(headers: list[tuple[str, str]], caller: str = "own") -> list[tuple[bytes, bytes]]:
    credential = [] if caller == "nobody" else [("authorization", f"Bearer {CREDENTIALS[caller].text}")]
    headers = [*credential, *headers]
    return [(name.encode(), value.encode("latin-1")) for name, value in headers]


def _assert_same(past: Past, request: Request) -> None:
    loop = asyncio.new_event_loop()
    try:
        thin, full = (loop.run_until_complete(_seen_of(past, request, hot=hot)) for hot in (True, False))
    finally:
        loop.close()
    assert thin == full


@settings(max_examples=40, deadline=None)
@given(past=_knows, headers=_headers, caller=_callers)
def test_what_is_known_is_answered_as_by_litestar(past: Past, headers: list[tuple[str, str]], caller: str) -> None:
    _assert_same(past, Request(_path(past.key), headers=_on_the_wire(headers, caller)))


@settings(max_examples=40, deadline=None)
@given(
    past=_pasts | _knows,
    other_key=st.booleans(),
    spelling=_spellings,
    method=st.sampled_from(["GET", "HEAD", "POST", "OPTIONS", "PUT"]),
    query=st.sampled_from([b"", b"x=1", b"min_revision=0"]),
    headers=_headers,
    caller=_callers,
)
def test_whatever_is_asked_is_answered_as_by_litestar(
    past: Past, other_key: bool, spelling: Any, method: str, query: bytes, headers: list[tuple[str, str]], caller: str
) -> None:
    path = _path(KEY if other_key else past.key)
    _assert_same(past, Request(spelling(path), method, query, _on_the_wire(headers, caller)))


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
    _assert_same(past, Request(PATH, headers=_on_the_wire(headers)))


async def _nothing(*_: object) -> None:
    raise AssertionError("this was left to Litestar")


async def _knowing(gate: Gate) -> Application:
    """A hot path that knows the route, over nothing."""
    world = World()
    instance = world.instance()
    await instance.core.applier.apply([world.database.commit(KEY, "https://v1")])
    return HotPath(
        _nothing,
        instance.core.local_answers,
        authenticator=gate.authenticator,
        health=Health({}),
        metrics=instance.metrics,
    )


@pytest.mark.parametrize(("tag", "status"), [('"1"', 304), ('"7"', 200)])
@pytest.mark.parametrize("caller", ["own", "admin"])
async def test_a_known_route_is_answered_without_litestar(caller: str, tag: str, status: int) -> None:
    app = await _knowing(_gate(KEY.tenant, MovableClock()))
    headers = _on_the_wire([("host", "resolver:8000"), ("if-none-match", tag)], caller)
    start, _ = await answer_of(app, Request(PATH, headers=headers))
    assert start["status"] == status


@pytest.mark.parametrize("caller", ["another tenant's", "revoked", "unknown", "nobody"])
async def test_whoever_may_not_ask_is_left_to_litestar(caller: str) -> None:
    app = await _knowing(_gate(KEY.tenant, MovableClock()))
    with pytest.raises(AssertionError, match="left to Litestar"):
        await answer_of(app, Request(PATH, headers=_on_the_wire([], caller)))


async def test_a_revocation_counts_for_the_very_next_request() -> None:
    gate = _gate(KEY.tenant, MovableClock())
    app, request = await _knowing(gate), Request(PATH, headers=_on_the_wire([]))
    for _ in range(TIMES):
        await answer_of(app, request)
    gate.keyring.end(CREDENTIALS["own"].key_id)
    with pytest.raises(AssertionError, match="left to Litestar"):
        await answer_of(app, request)


async def test_a_change_is_answered_from_the_very_next_request_on() -> None:
    world = World()
    instance, gate = world.instance(), _gate(KEY.tenant, world.clock)
    app = HotPath(
        _nothing,
        instance.core.local_answers,
        authenticator=gate.authenticator,
        health=Health({}),
        metrics=instance.metrics,
    )
    for url in ("https://v1", "https://v2", "https://v3"):
        await instance.core.applier.apply([world.database.commit(KEY, url)])
        for _ in range(TIMES):
            _, end = await answer_of(app, Request(PATH, headers=_on_the_wire([])))
            assert url.encode() in end["body"]
    await instance.core.applier.apply([world.database.commit(KEY, None)])
    with pytest.raises(AssertionError, match="left to Litestar"):
        await answer_of(app, Request(PATH, headers=_on_the_wire([])))
