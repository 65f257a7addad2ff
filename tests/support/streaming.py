"""One request to an ASGI application whose answer stays open."""

import asyncio
from collections.abc import AsyncIterator, Mapping, MutableMapping
from contextlib import asynccontextmanager
from typing import Any

from tests.support.lifespan import Application
from tests.support.sse import ServerEvent, events_of
from tests.support.waiting import eventually


class OpenAnswer:
    """What the application has sent so far. The caller takes everything at once, until it `stops_reading`."""

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

    def leave(self) -> None:
        """Close the connection from the caller's side."""
        self._left.set()

    def break_off(self) -> None:
        """Let whatever is sent from now on fail."""
        self._broken = True

    def stop_reading(self) -> None:
        """Take nothing more."""
        self._reads.clear()

    async def event(self) -> ServerEvent:
        """The next event."""
        async with asyncio.timeout(5):
            return await anext(self.events)

    async def sent(self, text: str) -> None:
        """Wait until this was sent."""
        await eventually(lambda: self._has(text))

    async def text(self) -> str:
        """Everything there was, once it has ended."""
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
async def opened(app: Application, path: str, query: str = "", **headers: str) -> AsyncIterator[OpenAnswer]:
    """GET the path; the caller leaves at the end of the block, and the application is waited for."""
    answer = OpenAnswer()
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
            answer.leave()


async def _answer(app: Application, scope: Mapping[str, Any], answer: OpenAnswer) -> None:
    await app(scope, answer.receive, answer.send)
