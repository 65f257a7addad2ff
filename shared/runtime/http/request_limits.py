"""Limits of one request until its response begins: header fields, time, and concurrent requests."""

import asyncio
from collections.abc import Callable, Iterable
from contextlib import suppress
from contextvars import ContextVar
from dataclasses import dataclass

from litestar.enums import ScopeType
from litestar.types import ASGIApp, HTTPScope, Message, Receive, Scope, Send

from shared.runtime.http.body_drain import RequestBody
from shared.runtime.http.problems import DEADLINE_EXCEEDED, ProblemType, send_problem
from shared.runtime.metrics import Metrics
from shared.runtime.settings import ServiceSettings

_EXEMPT = ("/health/", "/metrics")
"""Paths that operators need while other requests are refused."""

HEADERS_TOO_LARGE = ProblemType(431, "headers-too-large", "Request header fields too large")
OVERLOADED = ProblemType(503, "overloaded", "Service overloaded", retry_after=1)


@dataclass(frozen=True, slots=True)
class _PendingRequest:
    """A request whose response has not begun. `release`: gives up its slot among the concurrent requests."""

    deadline: asyncio.Timeout
    release: Callable[[], None]


_current: ContextVar[_PendingRequest | None] = ContextVar("pending_request", default=None)


@dataclass(frozen=True, slots=True)
class RequestLimits:
    """Limits per request, and of concurrent requests per process.

    `deadline_seconds`: until the response begins. `max_header_bytes`: of all header fields together. `http_port`: the
    port whose open connections are counted (None: they are not).
    """

    deadline_seconds: float = 2.0
    max_concurrent_requests: int = 512
    max_header_fields: int = 64
    max_header_bytes: int = 16 * 1024
    http_port: int | None = None


def request_limits_of(settings: ServiceSettings) -> RequestLimits:
    """The limits in a service's settings."""
    return RequestLimits(
        settings.request_deadline_seconds,
        settings.max_concurrent_requests,
        settings.max_header_fields,
        settings.max_header_bytes,
        settings.http_port,
    )


def release_slot(seconds: float) -> None:
    """Let the current request wait: end it `seconds` from now at the latest, and stop counting it as concurrent.

    The caller must limit the number of waiting requests by other means. Without a current request nothing happens.
    """
    request = _current.get()
    if request is None:
        return
    if request.deadline.when() is not None:  # otherwise the response has begun
        request.deadline.reschedule(asyncio.get_running_loop().time() + seconds)
    request.release()


class RequestLimitsMiddleware:
    """Refuses requests beyond the limits, and ends requests at their deadline.

    A request holds its slot, and its deadline runs, until its response begins: a slow reader or an open stream is neither
    ended nor counted.
    """

    def __init__(self, app: ASGIApp, limits: RequestLimits, metrics: Metrics) -> None:
        self._app = app
        self._limits = limits
        self._concurrent = 0
        shed = metrics.counter("tm_http_requests_shed_total")
        self._overloaded, self._deadline_exceeded = shed.labels("overloaded"), shed.labels("deadline")

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != ScopeType.HTTP or scope["path"].startswith(_EXEMPT):
            await self._app(scope, receive, send)
            return
        body = RequestBody(scope["headers"], receive)
        header_error = self._header_error(scope["headers"])
        if header_error is not None:
            await body.drain()
            await send_problem(send, HEADERS_TOO_LARGE, header_error)
        elif self._concurrent >= self._limits.max_concurrent_requests:
            self._overloaded.inc()
            await body.drain()
            detail = "The process serves as many requests as it may. Nothing was changed. Try again with backoff."
            await send_problem(send, OVERLOADED, detail)
        else:
            await self._serve(scope, body, send)

    def _header_error(self, headers: Iterable[tuple[bytes, bytes]]) -> str | None:
        fields = list(headers)
        max_fields, max_bytes = self._limits.max_header_fields, self._limits.max_header_bytes
        if len(fields) > max_fields:
            return f"At most {max_fields} header fields are accepted; the request has {len(fields)}."
        size = sum(len(name) + len(value) for name, value in fields)
        if size > max_bytes:
            return f"At most {max_bytes} bytes of header fields are accepted; the request has {size}."
        return None

    async def _serve(self, scope: HTTPScope, body: RequestBody, send: Send) -> None:
        begun, holds_slot = False, True
        self._concurrent += 1

        def release() -> None:
            nonlocal holds_slot
            self._concurrent -= holds_slot
            holds_slot = False

        async def send_and_release(message: Message) -> None:
            nonlocal begun
            if not begun:
                begun = True
                release()
                with suppress(RuntimeError):  # the deadline has just expired, and takes precedence
                    timeout.reschedule(None)
                await body.drain()
            await send(message)

        try:
            async with asyncio.timeout(self._limits.deadline_seconds) as timeout:
                token = _current.set(_PendingRequest(timeout, release))
                try:
                    await self._app(scope, body.receive, send_and_release)
                finally:
                    _current.reset(token)
        except TimeoutError:
            if begun:
                raise
            self._deadline_exceeded.inc()
            detail = "A change may or may not have been committed: read before trying again."
            await send_problem(send, DEADLINE_EXCEEDED, detail)
        finally:
            release()
