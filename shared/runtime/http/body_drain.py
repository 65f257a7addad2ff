"""Reading the rest of a request's body after the response is known."""

import asyncio
from collections.abc import Iterable
from contextlib import suppress
from typing import cast

from litestar.types import HTTPReceiveMessage, Receive

MAX_DRAINED_BYTES = 16 * 1024 * 1024
MAX_DRAIN_SECONDS = 1.0

_BODY_HEADERS = frozenset({b"content-length", b"transfer-encoding"})


class RequestBody:
    """Passes a request's body on, and records whether all of it was read.

    A server that closes a connection with unread data resets it, and the reset can overtake the response: the caller
    then sees a broken connection instead of a 413 or a 429. `drain` therefore reads and discards the rest, within limits.
    """

    def __init__(self, headers: Iterable[tuple[bytes, bytes]], receive: Receive) -> None:
        self._receive = receive
        self._more = any(name in _BODY_HEADERS and value != b"0" for name, value in headers)

    async def receive(self) -> HTTPReceiveMessage:
        """The next part of the body, or the caller's disconnect."""
        message = cast(HTTPReceiveMessage, await self._receive())
        self._more = self._more and message["type"] == "http.request" and bool(message.get("more_body"))
        return message

    async def drain(self) -> None:
        """Read and discard the rest, up to MAX_DRAINED_BYTES and MAX_DRAIN_SECONDS."""
        left = MAX_DRAINED_BYTES
        with suppress(TimeoutError):
            async with asyncio.timeout(MAX_DRAIN_SECONDS):
                while self._more and left > 0:
                    message = await self.receive()
                    left -= len(message["body"]) if message["type"] == "http.request" else 0
