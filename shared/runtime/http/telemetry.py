"""The outermost ASGI layer: correlation id, counting and timing of every request, and `Connection: close` on drain."""

import time
from collections.abc import Iterable
from typing import Any

from litestar.enums import ScopeType
from litestar.types import ASGIApp, Message, Receive, Scope, Send

from shared.runtime import correlation
from shared.runtime.health import Health
from shared.runtime.metrics import Metrics

_HEADER = correlation.HEADER.lower().encode()
_METHODS = frozenset({"GET", "HEAD", "PUT", "POST", "DELETE", "PATCH", "OPTIONS"})


class TelemetryMiddleware:
    """Wraps a service's Litestar application. What an L1 hit needs may be answered here, before Litestar."""

    def __init__(self, app: ASGIApp, *, health: Health, metrics: Metrics) -> None:
        self._app = app
        self._health = health
        self._requests = metrics.counter("tm_http_requests_total")
        self._durations = metrics.histogram("tm_http_request_duration_seconds")
        self._in_flight = metrics.gauge("tm_http_requests_in_flight")
        # One look-up in a dict instead of two `.labels()` per request.
        self._children: dict[tuple[str, str, int], tuple[Any, Any]] = {}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != ScopeType.HTTP:
            await self._app(scope, receive, send)
            return
        started = time.perf_counter()
        request_id = correlation.accept(_header(scope["headers"], _HEADER))
        correlation.bind(request_id)
        status = 500

        async def send_in_context(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                message["headers"] = [*message["headers"], (_HEADER, request_id.encode()), *self._closing()]
            await send(message)

        self._in_flight.inc()
        try:
            await self._app(scope, receive, send_in_context)
        finally:
            self._in_flight.dec()
            count, duration = self._metrics_for(scope, status)
            count.inc()
            duration.observe(time.perf_counter() - started)

    def _closing(self) -> Iterable[tuple[bytes, bytes]]:
        # A client on a kept-alive connection would otherwise learn of the drain by a reset.
        return ((b"connection", b"close"),) if self._health.draining else ()

    def _metrics_for(self, scope: Any, status: int) -> tuple[Any, Any]:
        template = scope.get("path_template") or "unmatched"
        method = scope["method"] if scope["method"] in _METHODS else "other"
        key = (template, method, status)
        children = self._children.get(key)
        if children is None:
            children = self._requests.labels(template, method, str(status)), self._durations.labels(template)
            self._children[key] = children
        return children


def _header(headers: Iterable[tuple[bytes, bytes]], name: bytes) -> str | None:
    return next((value.decode("latin-1") for key, value in headers if key == name), None)
