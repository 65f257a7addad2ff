"""ASGI middleware before Litestar that answers a plain GET of a route in L1, active or not.

It answers byte for byte as the handler in `resolve.py`. It passes on every request that it does not fully understand
(another method, a query string, an unusual path or header), every L1 miss, and every caller that is not accepted.

Every line of `__call__` and `_answer` runs for each request, so they look values up instead of computing them.
"""

from math import ceil
from typing import Any

from litestar.types import ASGIApp, Receive, Scope, Send

from data_plane.domain.slot import MAX_USES
from data_plane.http.fast_path.caller_cache import CORRELATION_ID, CachedCaller, CallerCache
from data_plane.http.fast_path.headers import (
    CLOSE,
    JSON,
    STALENESS_BOUND,
    UNKNOWN_BOUND,
    X_CACHE_HIT,
    Header,
    Messages,
    age_of,
)
from data_plane.http.fast_path.hit_spans import HitSpans, end_span
from data_plane.http.fast_path.not_found import NotFoundResponses
from data_plane.http.fast_path.paths import PREFIX, TEMPLATE
from data_plane.http.fast_path.response_cache import CachedResponse, ResponseCache
from data_plane.http.request_headers import matches_etag
from data_plane.service.resolve.answer_ages import AnswerAges
from data_plane.service.resolve.l1_reader import L1Reader
from shared.runtime import correlation
from shared.runtime.access.authenticator import Authenticator
from shared.runtime.clock import LocalTime
from shared.runtime.health import Health
from shared.runtime.http.deprecation import deprecation_headers
from shared.runtime.http.request_limits import RequestLimits
from shared.runtime.metric_catalogue import LATENCY
from shared.runtime.metrics import Metrics
from shared.runtime.metrics_buffer import BufferedCounter, BufferedHistogram
from shared.runtime.tracing.otel_settings import OtelSettings
from shared.runtime.version import PublicVersion

_EMPTY_BODY = {"type": "http.response.body", "body": b"", "more_body": False}


class FastPath:
    """Wraps the resolver's application."""

    def __init__(
        self,
        app: ASGIApp,
        l1_reader: L1Reader,
        *,
        negative_ttl_seconds: float,
        authenticator: Authenticator,
        health: Health,
        metrics: Metrics,
        limits: RequestLimits | None = None,
        server: str = PublicVersion.OFF.server,
        otel: OtelSettings | None = None,
    ) -> None:
        """`negative_ttl_seconds`: what the application states as the TTL of a concealed route. `otel`: None for no spans."""
        self._app = app
        self._constant = [(b"server", server.encode()), *deprecation_headers(f"GET {TEMPLATE}")]
        self._now, self._age, self._changes = l1_reader.now, l1_reader.age, l1_reader.changes
        self._fresh = l1_reader.fresh
        self._access_version = authenticator.version
        self._responses = ResponseCache(l1_reader)
        self._not_found = NotFoundResponses(
            l1_reader,
            negative_ttl_seconds=negative_ttl_seconds,
            authenticator=authenticator,
            health=health,
            metrics=metrics,
            constant=self._constant,
        )
        self._callers = CallerCache(authenticator, limits or RequestLimits(), self._responses)
        self._ids = correlation.ids()
        self._spans = HitSpans(otel or OtelSettings())
        self._health = health
        requests = metrics.counter("tm_http_requests_total")
        count = l1_reader.count_found, authenticator.count_accepted
        self._found = BufferedCounter(metrics, requests.labels(TEMPLATE, "GET", "200").inc, *count)
        self._unchanged = BufferedCounter(metrics, requests.labels(TEMPLATE, "GET", "304").inc, *count)
        durations = metrics.histogram("tm_http_request_duration_seconds").labels(TEMPLATE)
        self._durations = BufferedHistogram(metrics, durations, LATENCY)
        self._ages = AnswerAges(metrics)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        request: Any = scope  # `Scope` is a union of typed dicts: Any avoids a type check per key
        started_at = self._now()
        is_plain = request["type"] == "http" and request["method"] == "GET" and not request["query_string"]
        messages = self._answer(request, started_at) if is_plain else None
        if messages is None:
            await self._app(scope, receive, send)
            return
        start, body = messages
        self._spans.hits_until_next -= 1
        span = None if self._spans.hits_until_next > 0 else self._spans.begin(request, started_at)
        try:
            await send(start)
            await send(body)
        finally:
            # `tm_http_requests_in_flight` leaves these requests out: they await nothing but the server's `send`.
            self._durations.observe(self._now() - started_at)
            self._ages.until_next -= 1
            if self._ages.until_next <= 0:
                self._ages.observe(age_of(start), is_negative=start["status"] == 404)
            if span is not None:
                end_span(span, start["status"])

    def _answer(self, request: Any, now: LocalTime) -> Messages | None:
        """Both ASGI messages of the response, or None to pass the request on."""
        headers, path = tuple(request["headers"]), request["raw_path"]
        caller = self._callers.get(headers)
        if caller is None or now >= caller.valid_until or caller.access_version != self._access_version():
            caller, traceparent = self._callers.find(headers, now)
            if caller is None:
                return None
            self._spans.note_caller(traceparent)
        cached = caller.responses.get(path)
        if (
            cached is None
            or now >= cached.valid_until
            or cached.changes != self._changes()
            or cached.slot.uses != MAX_USES
        ):
            found = self._look_up(caller, path, now)
            if not isinstance(found, CachedResponse):
                return found
            cached = found
        bound = None if cached.proven_at is None else self._age(cached.proven_at, now)
        staleness = UNKNOWN_BOUND if bound is None else STALENESS_BOUND[ceil(bound * 1000)]
        if not caller.is_plain:
            return self._answer_with_conditions(caller, cached, staleness)
        request_id = CORRELATION_ID, next(self._ids)
        sent = [
            cached.cache_control, cached.age, X_CACHE_HIT, staleness, cached.etag, JSON, cached.length,
            *self._constant, request_id,
        ]  # fmt: skip
        if self._health.draining:
            sent.append(CLOSE)
        self._found.count += 1
        return {"type": "http.response.start", "status": 200, "headers": sent}, cached.body

    def _look_up(self, caller: CachedCaller, path: bytes, now: LocalTime) -> CachedResponse | Messages | None:
        """The response of an active route, the messages of a 404, or None to pass the request on."""
        # Checked before any look-up: neither timing nor the cache may reveal whether another tenant's route exists.
        if not path.startswith(caller.visible_prefix):
            return self._not_found.concealed(caller, path)
        route = path[len(PREFIX) :]
        slot = self._fresh(route, now)
        if slot is None:
            return None
        if not slot.value:
            return self._not_found.negative(caller, route, slot, now)
        return self._responses.renew(caller.responses, path, slot, now)

    def _answer_with_conditions(self, caller: CachedCaller, cached: CachedResponse, staleness: Header) -> Messages:
        """The messages for a request with If-None-Match or a correlation id."""
        headers = [cached.cache_control, cached.age, X_CACHE_HIT, staleness, cached.etag]
        is_unchanged = matches_etag(caller.if_none_match, cached.etag[1].decode())
        if not is_unchanged:
            headers += JSON, cached.length
        headers += *self._constant, (CORRELATION_ID, correlation.accept(caller.correlation_id).encode())
        if self._health.draining:
            headers.append(CLOSE)
        (self._unchanged if is_unchanged else self._found).count += 1
        start = {"type": "http.response.start", "status": 304 if is_unchanged else 200, "headers": headers}
        return start, _EMPTY_BODY if is_unchanged else cached.body
