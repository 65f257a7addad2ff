"""The streaming response of a watch."""

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
"""The second one turns off response buffering in nginx."""


@dataclass(frozen=True, slots=True)
class StreamTiming:
    """`progress_seconds`: interval of progress events. `send_timeout_seconds`: time a client has to receive a chunk."""

    progress_seconds: float
    send_timeout_seconds: float


class WatchStream(ASGIResponse):
    """Sends the first chunks, then every change of the subscription, until the client or the instance ends it.

    A custom response, because Litestar's streams have no timeout per send and do not close the subscription.
    """

    _should_set_content_length = False

    def __init__(
        self,
        subscription: Subscription,
        first_chunks: Iterable[bytes],
        event_cache: ChangeEventCache,
        timing: StreamTiming,
        *,
        is_accepted: Callable[[], bool],
    ) -> None:
        """`is_accepted`: whether the caller's credential is still valid; checked before each change and progress event."""
        super().__init__(media_type=CONTENT_TYPE, headers=HEADERS)
        self._subscription = subscription
        self._first_chunks = first_chunks
        self._event_cache = event_cache
        self._timing = timing
        self._is_accepted = is_accepted

    async def __call__(self, scope: Any, receive: Receive, send: Send) -> None:
        """Send the response. The subscription is closed afterwards in any case."""
        disconnect = asyncio.create_task(self._end_on_disconnect(receive))
        try:
            await super().__call__(scope, receive, send)
        finally:
            disconnect.cancel()
            self._subscription.end(CloseReason.CLIENT)

    async def send_body(self, send: Send, receive: Receive) -> None:
        try:
            await self._send_events(send)
        except WatchEnded as ended:
            if ended.reason not in (CloseReason.CLIENT, CloseReason.SLOW):
                await self._send_chunk(send, end_event(ended.reason))
        except TimeoutError:
            self._subscription.end(CloseReason.SLOW)
        await send({"type": "http.response.body", "body": b"", "more_body": False})

    async def _send_events(self, send: Send) -> None:
        await self._send_chunk(send, greeting(self._subscription.tenant))
        for chunk in self._first_chunks:
            await self._send_chunk(send, chunk)
        loop, interval = asyncio.get_running_loop(), self._timing.progress_seconds
        due = loop.time() + random.uniform(0, interval)  # noqa: S311 - spreads the progress events of all watches
        while True:
            event = await self._subscription.next(max(0.0, due - loop.time()))
            if not self._is_accepted():
                self._subscription.end(CloseReason.REVOKED)
                raise WatchEnded(CloseReason.REVOKED)
            if event is not None:
                await self._send_chunk(send, self._event_cache.encode(event))
            elif loop.time() >= due:
                await self._send_chunk(send, progress_event(self._subscription.revision, self._subscription.proven_at))
                due = _next_due(due, interval, loop.time())

    async def _send_chunk(self, send: Send, chunk: bytes) -> None:
        """Raises TimeoutError when the client does not receive it in time."""
        async with asyncio.timeout(self._timing.send_timeout_seconds):
            await send({"type": "http.response.body", "body": chunk, "more_body": True})

    async def _end_on_disconnect(self, receive: Receive) -> None:
        while (await receive())["type"] != "http.disconnect":
            pass
        self._subscription.end(CloseReason.CLIENT)


class WatchResponse(Response[None]):
    """Hands the stream to Litestar, which would otherwise build an ASGI response of its own."""

    def __init__(self, stream: WatchStream) -> None:
        super().__init__(None)
        self._stream = stream

    def to_asgi_response(self, *_: Any, **__: Any) -> ASGIResponse:
        return self._stream


def _next_due(due: float, interval: float, now: float) -> float:
    """The first time after `now` that is whole intervals after `due`: progress events missed in a freeze are not repeated."""
    return due + interval * (1 + (now - due) // interval)
