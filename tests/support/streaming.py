"""A request to an ASGI application with a streaming response."""

import asyncio
from collections.abc import AsyncIterator, Mapping, MutableMapping
from contextlib import asynccontextmanager
from typing import Any

from tests.support.lifespan import Application
from tests.support.sse import ServerEvent, events_of
from tests.support.waiting import eventually


class OpenResponse:
    """The response so far. The client reads everything at once, until `stop_reading`."""

    def __init__(self) -> None:
        self.status = 0
        self.headers: dict[str, str] = {}
        self.ended = asyncio.Event()
        self._broken = False
        self.body = b""
        self._body: asyncio.Queue[bytes] = asyncio.Queue()
        self._left = asyncio.Event()
        self._reads = asyncio.Event()
        self._reads.set()
        self._lines = self._read_lines()
        self.events = events_of(self._lines)

    def disconnect(self) -> None:
        """Closes the connection from the client's side."""
        self._left.set()

    def fail_sends(self) -> None:
        """Makes every later send fail."""
        self._broken = True

    def stop_reading(self) -> None:
        """Stops reading from the connection."""
        self._reads.clear()

    async def event(self) -> ServerEvent:
        """The next server-sent event, within 5 s."""
        async with asyncio.timeout(5):
            return await anext(self.events)

    async def sent(self, text: str) -> None:
        """Waits until the response contains this text."""
        await eventually(lambda: self._has(text))

    async def text(self) -> str:
        """The whole response, after its end."""
        async with asyncio.timeout(5):
            await self.ended.wait()
        return self.body.decode()

    async def _has(self, text: str) -> bool:
        return text in self.body.decode()

    async def _read_lines(self) -> AsyncIterator[str]:
        rest = ""
        while True:
            *lines, rest = (rest + (await self._body.get()).decode()).split("\n")
            for line in lines:
                yield line

    async def receive(self) -> Mapping[str, Any]:
        await self._left.wait()
        return {"type": "http.disconnect"}

    async def send(self, message: MutableMapping[str, Any]) -> None:
        if self._broken:
            raise OSError("the connection is broken")
        if message["type"] == "http.response.start":
            self.status = message["status"]
            self.headers = {name.decode().lower(): value.decode() for name, value in message["headers"]}
            return
        if message["body"]:
            await self._reads.wait()
        self.body += message["body"]
        self._body.put_nowait(message["body"])
        if not message.get("more_body"):
            self.ended.set()


@asynccontextmanager
async def open_response(app: Application, path: str, query: str = "", **headers: str) -> AsyncIterator[OpenResponse]:
    """Sends GET. At the end of the block the client disconnects, and the application is awaited."""
    answer = OpenResponse()
    scope = {
        "type": "http",
        "asgi": {"version": "3.0"},
        "http_version": "1.1",
        "method": "GET",
        "scheme": "http",
        "path": path,
        "raw_path": path.encode(),
        "root_path": "",
        "query_string": query.encode(),
        "headers": [(name.replace("_", "-").lower().encode(), value.encode()) for name, value in headers.items()],
        "client": ("127.0.0.1", 1),
        "server": ("resolver", 80),
        "state": {},
        "extensions": {},
    }
    async with asyncio.TaskGroup() as group:
        group.create_task(_answer(app, scope, answer))
        try:
            yield answer
        finally:
            answer.disconnect()


async def _answer(app: Application, scope: Mapping[str, Any], answer: OpenResponse) -> None:
    await app(scope, answer.receive, answer.send)
