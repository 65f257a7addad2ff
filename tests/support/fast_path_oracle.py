"""Compares the fast path with Litestar: one request to both, over instances with the same history."""

import asyncio
import re
from collections.abc import Mapping, MutableMapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from hypothesis import strategies as st

from data_plane.composition.app import build_api, build_app
from data_plane.http.fast_path.middleware import FastPath
from shared.runtime.access.tokens import AccessKey
from shared.runtime.health import Health
from shared.runtime.service import Service
from shared.runtime.tracing.otel_settings import OtelSettings
from shared.schemas.access import Role
from shared.schemas.identity import RouteKey
from tests.fakes.data_plane_world import Instance, World
from tests.support.access import AccessFixture, a_record
from tests.support.asgi import Application, Request, response_messages
from tests.support.clocks import MovableClock

REPEATS = 5
NEGATIVE_TTL_SECONDS = 10
_GENERATED = re.compile(rb"req-[0-9a-f]{16}")
_COMPARED_METRICS = (
    "tm_http_requests_total",
    "tm_http_request_duration_seconds_count",
    "tm_resolutions_total",
    "tm_cache_lookups_total",
    "tm_auth_total",
)

_names = st.from_regex(r"[a-z0-9]([a-z0-9._-]{0,8}[a-z0-9])?", fullmatch=True)
_versions = st.from_regex(r"[A-Za-z0-9]([A-Za-z0-9._+-]{0,8}[A-Za-z0-9])?", fullmatch=True)
KEYS = st.builds(RouteKey, _names, _names, _names, _versions)
URLS = st.text(st.characters(codec="utf-8"), min_size=1, max_size=40)
_tags = st.sampled_from(['"1"', '"2"', 'W/"1"', "*", ' "1" ', '"2", "1"', "1", '""', "", '"ä"', '"1', "*, *"])
HEADERS = st.lists(
    st.one_of(
        st.tuples(st.just("if-none-match"), _tags),
        st.tuples(st.just("if-none-match"), st.text(st.characters(max_codepoint=255), max_size=12)),
        st.tuples(st.just("cache-control"), st.sampled_from(["max-stale=0", "no-cache", "max-age=5", "max-age=0", ""])),
        st.tuples(st.just("x-min-revision"), st.sampled_from(["0", "00", ""])),
        st.tuples(st.just("content-encoding"), st.sampled_from(["identity", "gzip", ""])),
        st.tuples(st.just("traceparent"), st.sampled_from([f"00-{'a' * 32}-{'b' * 16}-0{flag}" for flag in "01x"])),
        st.tuples(st.sampled_from(["tracestate", "baggage"]), st.sampled_from(["a=1", "", "x" * 2000])),
        st.tuples(st.just("x-correlation-id"), st.sampled_from(["abc-1", "", "a b", "x" * 128, "x" * 129, "ä"])),
        st.tuples(
            st.just("host"),
            st.sampled_from(
                ["localhost", "127.0.0.1:8000", "[::1]:80", "x:99999", "x:65535", "a@b", "a b", "", "ä", "a_b"]
            ),
        ),
        st.tuples(st.sampled_from(["accept", "user-agent", "content-type", "content-length"]), st.just("text/plain")),
    ),
    max_size=4,
)
CALLERS = st.sampled_from(
    ["own", "own", "own", "admin", "another tenant's", "expiring", "revoked", "unknown", "anonymous"]
)


@dataclass(frozen=True, slots=True)
class History:
    """The instance's history before the requests: changes of one route, their age in seconds, a loss of events, a drain."""

    key: RouteKey
    urls: tuple[str | None, ...]
    age: float
    events_lost: bool
    draining: bool


CREDENTIALS = {name: AccessKey.new() for name in ("own", "another tenant's", "admin", "expiring", "revoked", "unknown")}


def access_for(tenant: str, clock: MovableClock) -> AccessFixture:
    """Access for the callers in CREDENTIALS: resolvers of the tenant and of another one, and an admin."""
    access, soon = AccessFixture(Service.DATA_PLANE, clock=clock), clock.now() + timedelta(seconds=60.5)
    access.keyring.put(a_record(CREDENTIALS["own"], role=Role.RESOLVER, tenant=tenant))
    access.keyring.put(a_record(CREDENTIALS["another tenant's"], role=Role.RESOLVER, tenant=f"not-{tenant}"))
    access.keyring.put(a_record(CREDENTIALS["admin"], role=Role.ADMIN))
    access.keyring.put(a_record(CREDENTIALS["expiring"], role=Role.RESOLVER, tenant=tenant, expires_at=soon))
    access.keyring.put(a_record(CREDENTIALS["revoked"], role=Role.RESOLVER, tenant=tenant))
    access.keyring.end(CREDENTIALS["revoked"].key_id)
    return access


class Subject:
    """An instance behind its application, with or without the fast path."""

    def __init__(self, history: History, *, with_fast_path: bool) -> None:
        world = World()
        self.instance: Instance = world.instance()
        self._world = world
        self.clock = world.clock
        self.access = access_for(history.key.tenant, world.clock)
        health = Health({}, started=True, draining=history.draining)
        build = build_app if with_fast_path else build_api
        self.app: Application = build(
            self.instance.core,
            self.instance.settings,
            access=self.access.access,
            health=health,
            metrics=self.instance.metrics,
        )

    async def replay(self, history: History) -> None:
        """Bring the instance to the end of this history."""
        events = [self._world.database.commit(history.key, url) for url in history.urls]
        await self.instance.core.applier.apply(events)
        if history.events_lost:
            self.instance.core.applier.mark_all_suspect()
        self.clock.advance(history.age)

    def counts(self) -> Mapping[str, float]:
        """The counters that requests change, without those at 0."""
        lines = self.instance.metrics.exposition().decode().splitlines()
        lines += self.access.metrics.exposition().decode().splitlines()
        samples = [line.rsplit(" ", 1) for line in lines if line.startswith(_COMPARED_METRICS)]
        return {name: float(value) for name, value in samples if float(value)}


async def _responses_and_counts(
    history: History, request: Request, *, with_fast_path: bool
) -> tuple[str, Mapping[str, float]]:
    """The messages of repeated requests, so that caches are used, and the counters afterwards."""
    subject = Subject(history, with_fast_path=with_fast_path)
    await subject.replay(history)
    messages = []
    for _ in range(REPEATS):
        messages += await response_messages(subject.app, request)
        subject.instance.apply_heartbeat()
        subject.clock.advance(0.3)
    return _comparable(messages), subject.counts()


def _comparable(messages: list[MutableMapping[str, Any]]) -> str:
    """The messages, with generated correlation ids made equal."""
    return repr([{key: _anonymous(value) for key, value in message.items()} for message in messages])


def _anonymous(value: Any) -> Any:
    if isinstance(value, bytes):
        return _GENERATED.sub(b"req-", value)
    if isinstance(value, list):
        return [(name, _anonymous(each)) for name, each in value]
    return value


def path_of(key: RouteKey) -> str:
    return f"/api/v1/resolve/{key.tenant}/{key.service}/{key.env}/{key.version}"


def encoded_headers(headers: list[tuple[str, str]], caller: str = "own") -> list[tuple[bytes, bytes]]:
    credential = [] if caller == "anonymous" else [("authorization", f"Bearer {CREDENTIALS[caller].text}")]
    headers = [*credential, *headers]
    return [(name.encode(), value.encode("latin-1")) for name, value in headers]


def assert_same(history: History, request: Request) -> None:
    loop = asyncio.new_event_loop()
    try:
        fast_path, litestar = (
            loop.run_until_complete(_responses_and_counts(history, request, with_fast_path=with_fast_path))
            for with_fast_path in (True, False)
        )
    finally:
        loop.close()
    assert fast_path == litestar


async def _unreachable(*_: object) -> None:
    """The application behind a fast path that must answer alone."""
    raise AssertionError("passed on to Litestar")


def fast_path_only(instance: Instance, access: AccessFixture, otel: OtelSettings | None = None) -> Application:
    """The instance's fast path; a request that it passes on fails the test. `otel`: None for no spans."""
    return FastPath(
        _unreachable,
        instance.core.l1_reader,
        negative_ttl_seconds=NEGATIVE_TTL_SECONDS,
        authenticator=access.authenticator,
        health=Health({}),
        metrics=instance.metrics,
        otel=otel,
    )
