"""A headless Chromium, driven over the pipe of its DevTools protocol, that notes everything which goes wrong on a page."""

import asyncio
import json
import os
import shutil
import signal
from asyncio.subprocess import DEVNULL
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path
from typing import Any

from tests.support.waiting import eventually

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
"""The browser's program; None where it is not installed (Debian: chromium)."""
_ARGUMENTS = (
    "--headless=new",
    "--no-sandbox",  # tests may run as root, and open the product's own pages only
    "--disable-gpu",
    "--disable-dev-shm-usage",
    "--disable-background-networking",
    "--disable-component-update",
    "--no-first-run",
    "--window-size=1280,1600",
    "--remote-debugging-pipe",
)
_LIMIT = 64 * 1024 * 1024
"""Bytes of one message of the protocol: a screenshot is the longest."""


@dataclass
class Page:
    """An open page. `requests`: the URLs that it asked for. `problems`: failed requests and lines of errors."""

    browser: "_DevTools"
    session: str
    requests: list[str] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)

    async def value(self, expression: str) -> Any:
        """The value of a JavaScript expression on the page."""
        answer = await self.browser.call(
            "Runtime.evaluate", self.session, expression=expression, returnByValue=True, awaitPromise=True
        )
        return answer["result"].get("value")

    async def shows(self, expression: str) -> None:
        """Wait until a JavaScript expression is true on the page. Raises AssertionError with what went wrong."""

        async def holds() -> bool:
            return bool(await self.value(expression))

        try:
            await eventually(holds, within=30)
        except AssertionError as error:
            raise AssertionError(f"{expression} does not hold; {self.problems}") from error

    def note(self, method: str, event: dict[str, Any]) -> None:
        """Note an event of the protocol."""
        if method == "Network.requestWillBeSent":
            self.requests.append(event["request"]["url"])
        elif method == "Network.responseReceived" and event["response"]["status"] >= 400:
            self.problems.append(f"{event['response']['status']} {event['response']['url']}")
        elif method == "Network.loadingFailed":
            self.problems.append(f"failed: {event['errorText']} {event.get('blockedReason', '')}")
        elif method == "Runtime.exceptionThrown":
            self.problems.append(json.dumps(event["exceptionDetails"]))
        elif method == "Runtime.consoleAPICalled" and event["type"] in ("error", "warning", "assert"):
            self.problems.append(f"console: {json.dumps(event['args'])}")
        elif method == "Log.entryAdded" and event["entry"]["level"] in ("error", "warning"):
            self.problems.append(f"log: {event['entry']['text']}")


class _DevTools:
    """The protocol's calls and events, as JSON texts that end with a zero byte."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader, self._writer = reader, writer
        self._ids = count(1)
        self._calls: dict[int, asyncio.Future[dict[str, Any]]] = {}
        self.pages: dict[str, Page] = {}

    async def call(self, method: str, session: str | None = None, **parameters: Any) -> dict[str, Any]:
        """The result of a call. Raises RuntimeError when the browser refuses it."""
        number = next(self._ids)
        answered = self._calls[number] = asyncio.get_running_loop().create_future()
        message = {"id": number, "method": method, "params": parameters, **({"sessionId": session} if session else {})}
        self._writer.write(json.dumps(message).encode() + b"\0")
        async with asyncio.timeout(30):
            answer = await answered
        if "error" in answer:
            raise RuntimeError(f"{method}: {answer['error']}")
        result: dict[str, Any] = answer["result"]
        return result

    async def read(self) -> None:
        """Pass on what the browser writes, until it closes the pipe."""
        while True:
            try:
                message = json.loads((await self._reader.readuntil(b"\0"))[:-1])
            except asyncio.IncompleteReadError:
                return
            if "id" in message:
                self._calls.pop(message["id"]).set_result(message)
            elif page := self.pages.get(message.get("sessionId", "")):
                page.note(message["method"], message["params"])

    async def open(self, url: str) -> Page:
        """A new page at this URL, watched from its first request."""
        target = await self.call("Target.createTarget", url="about:blank")
        session = (await self.call("Target.attachToTarget", targetId=target["targetId"], flatten=True))["sessionId"]
        page = self.pages[session] = Page(self, session)
        for domain in ("Network", "Runtime", "Log", "Page"):
            await self.call(f"{domain}.enable", session)
        await self.call("Page.navigate", session, url=url)
        return page


@asynccontextmanager
async def browser(profile: Path) -> AsyncIterator[_DevTools]:
    """A Chromium with an empty profile in this folder. It ends with the block."""
    assert CHROMIUM is not None
    (to_read, to_write), (from_read, from_write) = os.pipe(), os.pipe()
    # Chromium reads calls from descriptor 3 and writes to 4. Not by sh: that of Debian knows descriptors up to 9 only.
    command = f'exec "$0" "$@" 3<&{to_read} 4>&{from_write}'
    process = await asyncio.create_subprocess_exec(
        "/bin/bash", "-c", command, CHROMIUM, *_ARGUMENTS, f"--user-data-dir={profile}", "about:blank",
        pass_fds=(to_read, from_write), stdout=DEVNULL, stderr=DEVNULL, start_new_session=True,
    )  # fmt: skip
    os.close(to_read)
    os.close(from_write)
    loop = asyncio.get_running_loop()
    reader = asyncio.StreamReader(limit=_LIMIT)
    protocol = asyncio.StreamReaderProtocol(reader)
    incoming, _ = await loop.connect_read_pipe(lambda: protocol, os.fdopen(from_read, "rb"))
    outgoing, flow = await loop.connect_write_pipe(asyncio.streams.FlowControlMixin, os.fdopen(to_write, "wb"))
    tools = _DevTools(reader, asyncio.StreamWriter(outgoing, flow, None, loop))
    reading = asyncio.create_task(tools.read())
    try:
        yield tools
    finally:
        os.killpg(process.pid, signal.SIGKILL)
        await process.wait()
        outgoing.close()
        incoming.close()
        reading.cancel()
