"""The response that stays open."""

import asyncio
import random
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

from litestar import Response
from litestar.response.base import ASGIResponse
from litestar.types import Receive, Send

from data_plane.domain.close_reason import CloseReason, WatchEnded
from data_plane.http.sse.framing import CONTENT_TYPE, ChangeEventCache, end_event, greeting, progress_event
from data_plane.service.watch.subscription import Subscription

HEADERS = {"Cache-Control": "no-store", "X-Accel-Buffering": "no"}
"""The second one keeps nginx from collecting what is sent."""


@dataclass(frozen=True, slots=True)
class StreamTiming:
    """Seconds between two signs of life, and how long a client may take for what it is sent."""

    progress_seconds: float
    slow_seconds: float


class WatchResponse(Response[None]):
    """Sends the first chunks, then every change as it comes, until either side ends it."""

    def __init__(
        self,
        subscription: Subscription,
        first: Iterable[bytes],
        event_cache: ChangeEventCache,
        timing: StreamTiming,
        is_accepted: Callable[[], bool],
    ) -> None:
        """`is_accepted`: whether the caller's credential is still good; looked at before anything is sent."""
        super().__init__(None)
        self._stream = WatchStream(subscription, first, event_cache, timing, is_accepted)

    def to_asgi_response(self, *_: Any, **__: Any) -> ASGIResponse:
        """Litestar asks for this to send the response; what it has to add to it is not for streams."""
        return self._stream


class WatchStream(ASGIResponse):
    """The stream itself."""

    _should_set_content_length = False

    def __init__(
        self,
        subscription: Subscription,
        first: Iterable[bytes],
        event_cache: ChangeEventCache,
        timing: StreamTiming,
        is_accepted: Callable[[], bool],
    ) -> None:
        super().__init__(media_type=CONTENT_TYPE, headers=HEADERS)
        self._subscription = subscription
        self._first = first
        self._event_cache = event_cache
        self._timing = timing
        self._is_accepted = is_accepted

    async def __call__(self, scope: Any, receive: Receive, send: Send) -> None:
        """As every response; whatever happens, the watch has ended afterwards."""
        leaving = asyncio.create_task(self._end_when_left(receive))
        try:
            await super().__call__(scope, receive, send)
        finally:
            leaving.cancel()
            self._subscription.end(CloseReason.CLIENT)

    async def send_body(self, send: Send, receive: Receive) -> None:
        try:
            await self._send_all(send)
        except WatchEnded as ended:
            if ended.reason not in (CloseReason.CLIENT, CloseReason.SLOW):
                await self._hand_over(send, end_event(ended.reason))
        except TimeoutError:
            self._subscription.end(CloseReason.SLOW)
        await send({"type": "http.response.body", "body": b"", "more_body": False})

    async def _send_all(self, send: Send) -> None:
        await self._hand_over(send, greeting(self._subscription.tenant))
        for chunk in self._first:
            await self._hand_over(send, chunk)
        loop, every = asyncio.get_running_loop(), self._timing.progress_seconds
        due = loop.time() + random.uniform(0, every)  # noqa: S311 - so that not all watchers are sent it at once
        while True:
            event = await self._subscription.next(max(0.0, due - loop.time()))
            if not self._is_accepted():
                self._subscription.end(CloseReason.REVOKED)
                raise WatchEnded(CloseReason.REVOKED)
            if event is not None:
                await self._hand_over(send, self._event_cache.of(event))
            elif loop.time() >= due:
                await self._hand_over(send, progress_event(self._subscription.revision, self._subscription.proven_at))
                due = _next_due(due, every, loop.time())

    async def _hand_over(self, send: Send, chunk: bytes) -> None:
        """Raises TimeoutError when the client does not take it."""
        async with asyncio.timeout(self._timing.slow_seconds):
            await send({"type": "http.response.body", "body": chunk, "more_body": True})

    async def _end_when_left(self, receive: Receive) -> None:
        while (await receive())["type"] != "http.disconnect":
            pass
        self._subscription.end(CloseReason.CLIENT)


def _next_due(due: float, every: float, now: float) -> float:
    """After `now`. What a freeze has skipped stays so; each watcher keeps the moment of its own in the interval."""
    return due + every * (1 + (now - due) // every)
