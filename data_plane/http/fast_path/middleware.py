"""The thin layer before Litestar: a plain GET of a route that the process knows, active or not, is answered here.

It answers what the handler in `resolve.py` would, byte for byte, or hands the request on: whatever it does not fully
understand (another method, a query, an unusual path or header), every miss, and every caller that is not accepted.

Each line here runs for every request, which is why nothing is computed that could be looked up.
"""

from math import ceil
from typing import Any

from litestar.types import ASGIApp, Receive, Scope, Send

from data_plane.domain.slot import MAX_USES
from data_plane.http.fast_path.caller_cache import CORRELATION, CachedCaller, CallerCache
from data_plane.http.fast_path.headers import BOUND, CLOSE, JSON, UNKNOWN_BOUND, X_CACHE, Header, Messages
from data_plane.http.fast_path.not_found import NotFoundResponses
from data_plane.http.fast_path.paths import PREFIX, TEMPLATE
from data_plane.http.fast_path.response_cache import CachedResponse, ResponseCache
from data_plane.http.request_headers import matches_etag
from data_plane.service.resolve.l1_reader import L1Reader
from shared.runtime import correlation
from shared.runtime.access.authenticator import Authenticator
from shared.runtime.clock import LocalTime
from shared.runtime.health import Health
from shared.runtime.http.request_limits import RequestLimits
from shared.runtime.metric_catalogue import LATENCY
from shared.runtime.metrics import Metrics
from shared.runtime.metrics_buffer import BufferedCounter, DurationTally

_NOTHING = {"type": "http.response.body", "body": b"", "more_body": False}


class FastPath:
    """Wraps a service's application."""

    def __init__(
        self,
        app: ASGIApp,
        answers: L1Reader,
        *,
        negative_ttl_seconds: float,
        authenticator: Authenticator,
        health: Health,
        metrics: Metrics,
        limits: RequestLimits | None = None,
    ) -> None:
        """`negative_life`: seconds, as the application answers them for what is hidden from a caller."""
        self._app = app
        self._now, self._age, self._changes = answers.now, answers.age, answers.changes
        self._fresh = answers.fresh
        self._version = authenticator.version
        self._known = ResponseCache(answers)
        self._negatives = NotFoundResponses(
            answers,
            negative_ttl_seconds=negative_ttl_seconds,
            authenticator=authenticator,
            health=health,
            metrics=metrics,
        )
        self._callers = CallerCache(authenticator, limits or RequestLimits(), self._known)
        self._ids = correlation.ids()
        self._health = health
        requests = metrics.counter("tm_http_requests_total")
        told = answers.count_found, authenticator.count_accepted
        self._found = BufferedCounter(metrics, requests.labels(TEMPLATE, "GET", "200").inc, *told)
        self._unchanged = BufferedCounter(metrics, requests.labels(TEMPLATE, "GET", "304").inc, *told)
        durations = metrics.histogram("tm_http_request_duration_seconds").labels(TEMPLATE)
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

    def _answer(self, request: Any, now: LocalTime) -> Messages | None:
        """Both messages of the answer; None where Litestar has to answer."""
        block, path = tuple(request["headers"]), request["raw_path"]
        caller = self._callers.get(block)
        if caller is None or now >= caller.until or caller.version != self._version():
            caller = self._callers.look_at(block)
            if caller is None:
                return None
        known = caller.known.get(path)
        if known is None or now >= known.until or known.changes != self._changes() or known.slot.uses != MAX_USES:
            found = self._look_up(caller, path, now)
            if not isinstance(found, CachedResponse):
                return found
            known = found
        bound = None if known.proven_at is None else self._age(known.proven_at, now)
        told = UNKNOWN_BOUND if bound is None else BOUND[ceil(bound * 1000)]
        if not caller.is_plain:
            return self._answer_to(caller, known, told)
        given = CORRELATION, next(self._ids)
        headers = [known.cache_control, known.age, X_CACHE, told, known.etag, JSON, known.length, given]
        if self._health.draining:
            headers.append(CLOSE)
        self._found.count += 1
        return {"type": "http.response.start", "status": 200, "headers": headers}, known.body

    def _look_up(self, caller: CachedCaller, path: bytes, now: LocalTime) -> CachedResponse | Messages | None:
        """What to answer from for an active route, both messages where there is none, None where Litestar has to answer."""
        # Before anything is looked up: neither time nor the cache may tell whether another tenant's route is there.
        if not path.startswith(caller.paths):
            return self._negatives.hidden(caller, path)
        route = path[len(PREFIX) :]
        slot = self._fresh(route, now)
        if slot is None:
            return None
        if not slot.url:
            return self._negatives.absent(caller, route, slot, now)
        return self._known.renew(caller.known, path, slot, now)

    def _answer_to(self, caller: CachedCaller, known: CachedResponse, bound: Header) -> Messages:
        """The answer to a request with a condition, or with a correlation id."""
        headers = [known.cache_control, known.age, X_CACHE, bound, known.etag]
        is_unchanged = matches_etag(caller.if_none_match, known.etag[1].decode())
        if not is_unchanged:
            headers += JSON, known.length
        headers.append((CORRELATION, correlation.accept(caller.correlation_id).encode()))
        if self._health.draining:
            headers.append(CLOSE)
        (self._unchanged if is_unchanged else self._found).count += 1
        start = {"type": "http.response.start", "status": 304 if is_unchanged else 200, "headers": headers}
        return start, _NOTHING if is_unchanged else known.body
