"""The thin layer before Litestar: a plain GET of an active route that the process knows is answered here.

It answers what the handler in `resolve.py` would, byte for byte, or hands the request on: whatever it does not fully
understand (another method, a query, an unusual path or header), every miss, and every refusal.

Each line here runs for every request, which is why nothing is computed that could be looked up.
"""

from math import ceil
from typing import Any

from litestar.types import ASGIApp, Receive, Scope, Send

from data_plane.domain.slot import MAX_USES
from data_plane.http.callers import CORRELATION, Caller, Callers
from data_plane.http.conditions import has_already
from data_plane.http.encoded import BOUND, CLOSE, JSON, UNKNOWN_BOUND, X_CACHE, Header
from data_plane.http.known_answers import KnownAnswer, KnownAnswers
from data_plane.http.resolve import RESOLVE_PATH
from data_plane.service.local_answers import LocalAnswers
from shared.runtime import correlation
from shared.runtime.access.authenticator import Authenticator
from shared.runtime.catalogue import LATENCY
from shared.runtime.health import Health
from shared.runtime.http.bounds import Bounds
from shared.runtime.metrics import Metrics
from shared.runtime.tally import CountTally, DurationTally

_NOTHING = {"type": "http.response.body", "body": b"", "more_body": False}


class HotPath:
    """Wraps a service's application."""

    def __init__(
        self,
        app: ASGIApp,
        answers: LocalAnswers,
        *,
        authenticator: Authenticator,
        health: Health,
        metrics: Metrics,
        bounds: Bounds | None = None,
    ) -> None:
        self._app = app
        self._now, self._age, self._changes = answers.now, answers.age, answers.changes
        self._version = authenticator.version
        self._known = KnownAnswers(answers)
        self._callers = Callers(authenticator, bounds or Bounds())
        self._ids = correlation.ids()
        self._health = health
        requests = metrics.counter("tm_http_requests_total")
        template = RESOLVE_PATH.replace(":str", "")
        told = answers.count_found, authenticator.accepted
        self._found = CountTally(metrics, requests.labels(template, "GET", "200").inc, *told)
        self._unchanged = CountTally(metrics, requests.labels(template, "GET", "304").inc, *told)
        durations = metrics.histogram("tm_http_request_duration_seconds").labels(template)
        self._durations = DurationTally(metrics, durations, LATENCY)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        request: Any = scope  # one look at the type of the scope is enough for all its keys
        started = self._now()
        is_plain = request["type"] == "http" and request["method"] == "GET" and not request["query_string"]
        answer = self._answer(request, started) if is_plain else None
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
        block, path = tuple(request["headers"]), request["raw_path"]
        caller = self._callers.get(block)
        if caller is None or now >= caller.until or caller.version != self._version():
            caller = self._callers.look_at(block)
            if caller is None:
                return None
        known = self._known.get(path)
        if known is None or now >= known.until or known.changes != self._changes() or known.slot.uses != MAX_USES:
            known = self._known.look_up(path, now)
            if known is None:
                return None
        if known.tenant not in caller.tenants and not caller.may_ask_for(known.tenant):
            return None
        bound = None if known.as_of is None else self._age(known.as_of, now)
        told = UNKNOWN_BOUND if bound is None else BOUND[ceil(bound * 1000)]
        headers = [known.cache_control, known.age, X_CACHE, told, known.etag]
        if not caller.is_plain:
            return self._answer_to(caller, known, headers)
        headers += JSON, known.length, (CORRELATION, next(self._ids))
        if self._health.draining:
            headers.append(CLOSE)
        self._found.count += 1
        return {"type": "http.response.start", "status": 200, "headers": headers}, known.body

    def _answer_to(self, caller: Caller, known: KnownAnswer, headers: list[Header]) -> tuple[Any, Any]:
        """The answer to a request with a condition, or with a correlation id."""
        is_unchanged = has_already(caller.if_none_match, known.etag[1].decode())
        if not is_unchanged:
            headers += JSON, known.length
        headers.append((CORRELATION, correlation.accept(caller.correlation_id).encode()))
        if self._health.draining:
            headers.append(CLOSE)
        (self._unchanged if is_unchanged else self._found).count += 1
        start = {"type": "http.response.start", "status": 304 if is_unchanged else 200, "headers": headers}
        return start, _NOTHING if is_unchanged else known.body
