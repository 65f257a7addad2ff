"""The thin layer before Litestar: a plain GET of an active route that the process knows is answered here.

It answers what the handler in `resolve.py` would, byte for byte, or hands the request on: whatever it does not fully
understand (another method, a query, an unusual path or header), every miss, and every refusal.

Each line here runs for every request, which is why nothing is computed that could be looked up.
"""

from math import ceil
from typing import Any

from litestar.types import ASGIApp, Receive, Scope, Send

from data_plane.http.callers import Asked, Callers
from data_plane.http.conditions import has_already
from data_plane.http.encoded import AGE, BOUND, CLOSE, JSON, MAX_AGE, UNKNOWN_BOUND, X_CACHE, EncodedAnswers, Header
from data_plane.http.resolve import RESOLVE_PATH
from data_plane.service.local_answers import LocalAnswers
from shared.runtime import correlation
from shared.runtime.catalogue import LATENCY
from shared.runtime.health import Health
from shared.runtime.http.bounds import Bounds
from shared.runtime.metrics import Metrics
from shared.runtime.tally import CountTally, DurationTally

_PREFIX = RESOLVE_PATH.partition("{")[0].encode()
_CORRELATION = correlation.HEADER.lower().encode()
_NOTHING = {"type": "http.response.body", "body": b"", "more_body": False}


class HotPath:
    """Wraps a service's application."""

    def __init__(
        self,
        app: ASGIApp,
        answers: LocalAnswers,
        *,
        health: Health,
        metrics: Metrics,
        bounds: Bounds | None = None,
    ) -> None:
        self._app = app
        self._answers = answers
        self._now, self._bound_of = answers.now, answers.bound_of
        self._encoded = EncodedAnswers()
        self._callers = Callers(bounds or Bounds())
        self._ids = correlation.ids()
        self._health = health
        requests = metrics.counter("tm_http_requests_total")
        template = RESOLVE_PATH.replace(":str", "")
        self._found = CountTally(metrics, requests.labels(template, "GET", "200"))
        self._unchanged = CountTally(metrics, requests.labels(template, "GET", "304"))
        durations = metrics.histogram("tm_http_request_duration_seconds").labels(template)
        self._durations = DurationTally(metrics, durations, LATENCY)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        started = self._now()
        answer = self._answer(scope, started)
        if answer is None:
            await self._app(scope, receive, send)
            return
        start, body = answer
        try:
            await send(start)
            await send(body)
        finally:
            # Nothing here waits for anything but the server, so these requests are never seen "in flight".
            self._durations.observe(self._now() - started)

    def _answer(self, request: Any, now: float) -> tuple[Any, Any] | None:
        """Both messages of the answer; None where Litestar has to answer."""
        if request["type"] != "http" or request["method"] != "GET" or request["query_string"]:
            return None
        path: bytes = request["raw_path"]
        if not path.startswith(_PREFIX):
            return None
        asked = self._callers[tuple(request["headers"])]
        if asked is None:
            return None
        route = path[len(_PREFIX) :]
        slot = self._answers.active(route, now)
        if slot is None:
            return None
        encoded = self._encoded.get(slot) or self._encoded.add(route, slot)
        bound = self._bound_of(slot, encoded.tenant, slot.revision, now)
        headers = [
            MAX_AGE[int(slot.expires_at - now)],
            AGE[int(now - slot.as_of)] if now > slot.as_of else AGE[0],
            X_CACHE,
            UNKNOWN_BOUND if bound is None else BOUND[ceil(bound * 1000)],
            encoded.etag,
        ]
        if asked.if_none_match is not None and has_already(asked.if_none_match, encoded.etag[1].decode()):
            self._unchanged.count += 1
            return self._start(304, headers, asked), _NOTHING
        self._found.count += 1
        headers += JSON, encoded.length
        return self._start(200, headers, asked), encoded.body

    def _start(self, status: int, headers: list[Header], asked: Asked) -> dict[str, Any]:
        offered = asked.correlation_id
        correlation_id = next(self._ids) if offered is None else correlation.accept(offered).encode()
        headers.append((_CORRELATION, correlation_id))
        if self._health.draining:
            headers.append(CLOSE)
        return {"type": "http.response.start", "status": status, "headers": headers}
