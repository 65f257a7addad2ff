"""The outermost ASGI layer: correlation id, span, request metrics, `Server`, and `Connection: close` while draining."""

import time
from collections.abc import Iterable
from typing import Any

from litestar.enums import ScopeType
from litestar.types import ASGIApp, Message, Receive, Scope, Send

from shared.runtime import correlation
from shared.runtime.health import Health
from shared.runtime.http.request_span import METHODS, request_span
from shared.runtime.metrics import Metrics

_HEADER = correlation.HEADER.lower().encode()


class TelemetryMiddleware:
    """Gives every request a correlation id and a span, counts it and measures its duration."""

    def __init__(self, app: ASGIApp, *, health: Health, metrics: Metrics, server: str) -> None:
        """`server`: the value of the `Server` header."""
        self._app = app
        self._server = b"server", server.encode()
        self._health = health
        self._requests = metrics.counter("tm_http_requests_total")
        self._durations = metrics.histogram("tm_http_request_duration_seconds")
        self._in_flight = metrics.gauge("tm_http_requests_in_flight")
        # One dict look-up per request instead of two calls of `labels`.
        self._labelled: dict[tuple[str, str, int], tuple[Any, Any]] = {}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != ScopeType.HTTP:
            await self._app(scope, receive, send)
            return
        started = time.perf_counter()
        request_id = correlation.accept(_header(scope["headers"], _HEADER))
        correlation.bind(request_id)
        status = 500

        async def send_with_correlation_id(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                added = self._server, (_HEADER, request_id.encode()), *self._connection_headers()
                message["headers"] = [*message["headers"], *added]
            await send(message)

        self._in_flight.inc()
        with request_span(scope, request_id) as note_response:
            try:
                await self._app(scope, receive, send_with_correlation_id)
            finally:
                self._in_flight.dec()
                count, duration = self._metrics_for(scope, status)
                count.inc()
                duration.observe(time.perf_counter() - started)
                note_response(status)

    def _connection_headers(self) -> Iterable[tuple[bytes, bytes]]:
        # Without it, a client on a kept-alive connection notices the drain by a reset.
        return ((b"connection", b"close"),) if self._health.draining else ()

    def _metrics_for(self, scope: Any, status: int) -> tuple[Any, Any]:
        template = scope.get("path_template") or "unmatched"
        method = scope["method"] if scope["method"] in METHODS else "other"
        key = (template, method, status)
        labelled = self._labelled.get(key)
        if labelled is None:
            labelled = self._requests.labels(template, method, str(status)), self._durations.labels(template)
            self._labelled[key] = labelled
        return labelled


def _header(headers: Iterable[tuple[bytes, bytes]], name: bytes) -> str | None:
    return next((value.decode("latin-1") for key, value in headers if key == name), None)
