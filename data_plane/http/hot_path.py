"""The thin layer before Litestar: a plain GET of an active route that the process knows is answered here.

It answers what the handler in `resolve.py` would, byte for byte, or hands the request on: whatever it does not fully
understand (another method, a query, an unusual path, header or host), every miss, and every refusal.
"""

import re
import time
from collections.abc import Callable, Mapping
from functools import lru_cache
from typing import Any, TypeAlias

from litestar.types import ASGIApp, Receive, Scope, Send

from data_plane.domain.slot import Slot
from data_plane.http.answers import bound_text
from data_plane.http.conditions import etag_of, has_already
from data_plane.http.resolve import RESOLVE_PATH
from data_plane.service.local_answers import LocalAnswers
from shared.runtime import correlation
from shared.runtime.catalogue import LATENCY
from shared.runtime.health import Health
from shared.runtime.http.bounds import Bounds
from shared.runtime.metrics import Metrics
from shared.runtime.tally import CountTally, DurationTally

Headers: TypeAlias = Mapping[bytes, bytes]
Check: TypeAlias = Callable[[Headers, bytes], bool]
"""Whether a caller with these headers may be told of `tenant/service/env/version`. If not, Litestar says why not."""

_PREFIX = RESOLVE_PATH.partition("{")[0].encode()
_LEFT_TO_LITESTAR = frozenset({b"cache-control", b"x-min-revision"})
_HOST = re.compile(rb"[A-Za-z0-9.-]{1,253}(:[0-9]{1,5})?")
_CORRELATION = correlation.HEADER.lower().encode()
_CONTENT_TYPE = (b"content-type", b"application/json")
_X_CACHE = (b"x-cache", b"l1")
_CLOSE = (b"connection", b"close")


def everyone(_: Headers, __: bytes) -> bool:
    """The check while there are no credentials."""
    return True


class HotPath:
    """Wraps a service's application. `check` is asked before anything is looked up, and must not wait for anything."""

    def __init__(
        self,
        app: ASGIApp,
        answers: LocalAnswers,
        *,
        health: Health,
        metrics: Metrics,
        bounds: Bounds | None = None,
        check: Check = everyone,
    ) -> None:
        self._app = app
        self._bounds = bounds or Bounds()
        self._answers = answers
        self._health = health
        self._check = check
        requests = metrics.counter("tm_http_requests_total")
        template = RESOLVE_PATH.replace(":str", "")
        self._requests = {
            status: CountTally(metrics, requests.labels(template, "GET", str(status))) for status in (200, 304)
        }
        durations = metrics.histogram("tm_http_request_duration_seconds").labels(template)
        self._durations = DurationTally(metrics, durations, LATENCY)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        started = time.perf_counter()
        request: Any = scope  # one look at the type of the scope is enough for all its keys
        headers = self._understood(request) if request["type"] == "http" else None
        if headers is None:
            await self._app(scope, receive, send)
            return
        route, now = request["raw_path"][len(_PREFIX) :], self._answers.now()
        slot = self._answers.active(route, now) if self._check(headers, route) else None
        if slot is None:
            await self._app(scope, receive, send)
            return
        await self._send(route, slot, headers, now, send, started)

    async def _send(self, route: bytes, slot: Slot, headers: Headers, now: float, send: Send, started: float) -> None:
        # Nothing here waits for anything but the server, so these requests are never seen "in flight".
        etag = etag_of(slot.revision)
        offered = headers.get(b"if-none-match")
        status = 304 if offered is not None and has_already(offered.decode("latin-1"), etag) else 200
        body = slot.body(route) if status == 200 else b""
        try:
            await send(
                {
                    "type": "http.response.start",
                    "status": status,
                    "headers": self._headers(route, slot, body, now, etag, headers.get(_CORRELATION)),
                }
            )
            await send({"type": "http.response.body", "body": body, "more_body": False})
        finally:
            self._requests[status].count += 1
            self._durations.observe(time.perf_counter() - started)

    def _headers(
        self, route: bytes, slot: Slot, body: bytes, now: float, etag: str, correlation_id: bytes | None
    ) -> list[tuple[bytes, bytes]]:
        """As `answers.respond_with` and `RequestContext` have them, in their order."""
        offered = None if correlation_id is None else correlation_id.decode("latin-1")
        headers = [
            (b"cache-control", b"max-age=%d" % (slot.expires_at - now)),
            (b"age", b"%d" % max(0.0, now - slot.as_of)),
            _X_CACHE,
            (b"x-staleness-bound", bound_text(self._answers.bound(route, slot, now)).encode()),
            (b"etag", etag.encode()),
        ]
        if body:
            headers += _CONTENT_TYPE, (b"content-length", b"%d" % len(body))
        headers.append((_CORRELATION, correlation.accept(offered).encode()))
        if self._health.draining:
            headers.append(_CLOSE)
        return headers

    def _understood(self, request: Any) -> Headers | None:
        """The headers of a request that can be answered here, if what it asks for is known."""
        if (
            request["method"] != "GET"
            or request["query_string"]
            or not request.get("raw_path", b"").startswith(_PREFIX)
            or request.get("root_path")
        ):
            return None
        offered = request["headers"]
        headers = dict(offered)
        if len(headers) != len(offered) or not _LEFT_TO_LITESTAR.isdisjoint(headers) or self._is_too_much(headers):
            return None
        return headers if _is_plain_host(headers.get(b"host", b"localhost")) else None

    def _is_too_much(self, headers: Headers) -> bool:
        size = sum(map(len, headers)) + sum(map(len, headers.values()))
        return len(headers) > self._bounds.header_count or size > self._bounds.header_bytes


@lru_cache(maxsize=256)
def _is_plain_host(host: bytes) -> bool:
    return _HOST.fullmatch(host) is not None
