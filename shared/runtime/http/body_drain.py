"""What a caller still sends when the answer is known already."""

import asyncio
from collections.abc import Iterable
from contextlib import suppress
from typing import cast

from litestar.types import HTTPReceiveMessage, Receive

MOST_BYTES = 16 * 1024 * 1024
SECONDS = 1.0

_ANNOUNCING = frozenset({b"content-length", b"transfer-encoding"})


class RequestBody:
    """Passes a request's body on, and knows whether all of it was read.

    A server closes a connection on which it has not read everything, and the reset overtakes the answer: the caller
    then sees a broken connection instead of a 413 or a 429. So what is left is read and forgotten, within bounds.
    """

    def __init__(self, headers: Iterable[tuple[bytes, bytes]], receive: Receive) -> None:
        self._receive = receive
        self._more = any(name in _ANNOUNCING and value != b"0" for name, value in headers)

    async def receive(self) -> HTTPReceiveMessage:
        """The next part of the body, or that the caller has gone."""
        message = cast(HTTPReceiveMessage, await self._receive())
        self._more = self._more and message["type"] == "http.request" and bool(message.get("more_body"))
        return message

    async def forget(self) -> None:
        """Read what is left, as long as it is not too much and does not take too long."""
        left = MOST_BYTES
        with suppress(TimeoutError):
            async with asyncio.timeout(SECONDS):
                while self._more and left > 0:
                    message = await self.receive()
                    left -= len(message["body"]) if message["type"] == "http.request" else 0
