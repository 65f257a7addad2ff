"""What one request may cost before its answer begins: headers, time, and a place among those in flight."""

import asyncio
from collections.abc import Callable, Iterable
from contextlib import suppress
from contextvars import ContextVar
from dataclasses import dataclass

from litestar.enums import ScopeType
from litestar.types import ASGIApp, HTTPScope, Message, Receive, Scope, Send

from shared.runtime.http.body_drain import RequestBody
from shared.runtime.http.problems import SHARED_PROBLEM_TYPES, ProblemType, send_problem
from shared.runtime.metrics import Metrics
from shared.runtime.settings import ServiceSettings

_EXEMPT = ("/health/", "/metrics")
"""What operators look at when everything else is refused."""

HEADERS_TOO_LARGE = ProblemType(431, "headers-too-large", "The request's header fields are too many or too large")
OVERLOADED = ProblemType(503, "overloaded", "The service has more requests in flight than it can serve", retry_after=1)
DEADLINE_EXCEEDED = SHARED_PROBLEM_TYPES[TimeoutError]


@dataclass(frozen=True, slots=True)
class _Underway:
    """A request whose answer has not begun. `leave`: give up its place among those in flight."""

    deadline: asyncio.Timeout
    leave: Callable[[], None]


_underway: ContextVar[_Underway | None] = ContextVar("underway", default=None)


@dataclass(frozen=True, slots=True)
class RequestLimits:
    """Seconds until an answer begins, requests in flight per process, header fields and their bytes in all."""

    deadline_seconds: float = 2.0
    at_once: int = 512
    header_count: int = 64
    header_bytes: int = 16 * 1024


def request_limits_of(settings: ServiceSettings, deadline_seconds: float) -> RequestLimits:
    """The bounds that a service's settings say, with that service's own deadline."""
    return RequestLimits(
        deadline_seconds, settings.max_concurrent_requests, settings.header_count, settings.header_bytes
    )


def extend_deadline(seconds: float) -> None:
    """Give the request at hand this long from now, because its caller asked to wait. Nothing outside of a request."""
    request = _underway.get()
    if request is not None and request.deadline.when() is not None:  # else the answer has begun
        request.deadline.reschedule(asyncio.get_running_loop().time() + seconds)


def release_slot(seconds: float) -> None:
    """As `extend_deadline`, for a request that does nothing while it waits: it holds no place any more.

    Whoever calls this bounds by other means how many wait.
    """
    extend_deadline(seconds)
    request = _underway.get()
    if request is not None:
        request.leave()


class RequestLimitsMiddleware:
    """Refuses before the application what is too large or too much, and ends what takes too long.

    A request holds its place, and its deadline runs, until its answer begins: a slow reader or a stream that stays
    open is neither cut off nor counted.
    """

    def __init__(self, app: ASGIApp, limits: RequestLimits, metrics: Metrics) -> None:
        self._app = app
        self._bounds = limits
        self._in_flight = 0
        shed = metrics.counter("tm_http_requests_shed_total")
        self._overloaded, self._too_slow = shed.labels("overloaded"), shed.labels("deadline")

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != ScopeType.HTTP or scope["path"].startswith(_EXEMPT):
            await self._app(scope, receive, send)
            return
        body = RequestBody(scope["headers"], receive)
        wrong = self._wrong_headers(scope["headers"])
        if wrong is not None:
            await body.forget()
            await send_problem(send, HEADERS_TOO_LARGE, wrong)
        elif self._in_flight >= self._bounds.at_once:
            self._overloaded.inc()
            await body.forget()
            await send_problem(send, OVERLOADED, "Nothing was done. Try again later, and not all at once.")
        else:
            await self._answer(scope, body, send)

    def _wrong_headers(self, headers: Iterable[tuple[bytes, bytes]]) -> str | None:
        fields = list(headers)
        most, bytes_most = self._bounds.header_count, self._bounds.header_bytes
        if len(fields) > most:
            return f"At most {most} header fields are accepted; these are {len(fields)}."
        size = sum(len(name) + len(value) for name, value in fields)
        if size > bytes_most:
            return f"At most {bytes_most} bytes of header fields are accepted; these have {size}."
        return None

    async def _answer(self, scope: HTTPScope, body: RequestBody, send: Send) -> None:
        limit = self._bounds.deadline_seconds
        begun, in_place = False, True
        self._in_flight += 1

        def leave() -> None:
            nonlocal in_place
            self._in_flight -= in_place
            in_place = False

        async def send_and_leave(message: Message) -> None:
            nonlocal begun
            if not begun:
                begun = True
                leave()
                with suppress(RuntimeError):  # the deadline is passing this very moment, and wins
                    timeout.reschedule(None)
                await body.forget()
            await send(message)

        try:
            async with asyncio.timeout(limit) as timeout:
                token = _underway.set(_Underway(timeout, leave))
                try:
                    await self._app(scope, body.receive, send_and_leave)
                finally:
                    _underway.reset(token)
        except TimeoutError:
            if begun:
                raise
            self._too_slow.inc()
            await send_problem(
                send, DEADLINE_EXCEEDED, "What was asked for may have been done or not; read before trying again."
            )
        finally:
            leave()
