"""Resolves at a fixed rate of Zipf-distributed routes: an open loop over kept-alive connections."""

import asyncio
import contextlib
import itertools
import json
import random
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from urllib.parse import urlsplit

from bench.faults.commit_history import Resolved

CONNECTIONS = 16
"""To each instance. A route is always asked for over the same one, so that its answers come in the order of the questions."""
ANSWER_SECONDS = 5.0


class Zipf:
    """Numbers below `count`, the n-th one with a probability proportional to 1/n."""

    def __init__(self, count: int, seed: int) -> None:
        self._random = random.Random(seed)
        self._population = range(count)
        self._weights = list(itertools.accumulate(1 / place for place in range(1, count + 1)))

    def draw(self) -> int:
        """The next number."""
        return self._random.choices(self._population, cum_weights=self._weights)[0]


class ZipfLoad:
    """Resolves routes `s-<n>/prod/v1` at the instances in turn, and passes on every answer. The tenants own the routes in turn."""

    def __init__(
        self,
        instances: Sequence[str],
        tenants: Sequence[str],
        key: str,
        routes: int,
        note: Callable[[Resolved], None],
    ) -> None:
        self._tenants = tenants
        self._key = key
        self._routes = routes
        self._note = note
        self._lines = {each: [_Line(each, tenants, key) for _ in range(CONNECTIONS)] for each in instances}

    async def answer_of(self, instance: str, route: int) -> Resolved:
        """The answer of an instance over a connection of its own; it is not passed on."""
        line = _Line(instance, self._tenants, self._key)
        try:
            return await line.ask(route, time.monotonic())
        finally:
            line.close()

    async def ask_each_once(self, routes: Iterable[int] | None = None) -> None:
        """Resolve every route, or each of these, at every instance, as fast as possible."""
        asked = range(self._routes) if routes is None else routes
        await self._ask((instance, route) for route in asked for instance in self._lines)

    async def run(self, rate: float) -> None:
        """Send so many requests per second to all instances together, until cancelled."""
        zipf = Zipf(self._routes, seed=20251020)
        await self._ask(((instance, zipf.draw()) for instance in itertools.cycle(self._lines)), rate)

    async def _ask(self, questions: Iterator[tuple[str, int]], rate: float | None = None) -> None:
        """Put each request into the queue of its connection when it is due; a slow connection delays no other."""
        queues = {line: asyncio.Queue[tuple[int, float] | None]() for lines in self._lines.values() for line in lines}
        async with asyncio.TaskGroup() as group:
            for line, queue in queues.items():
                group.create_task(self._work_off(line, queue))
            start = time.monotonic()
            for number, (instance, route) in enumerate(questions):
                due = time.monotonic()
                if rate is not None:
                    due = start + number / rate
                    await asyncio.sleep(max(0.0, due - time.monotonic()))
                queues[self._lines[instance][route % CONNECTIONS]].put_nowait((route, due))
            for queue in queues.values():
                queue.put_nowait(None)

    async def _work_off(self, line: "_Line", queue: asyncio.Queue[tuple[int, float] | None]) -> None:
        try:
            while (question := await queue.get()) is not None:
                route, due = question
                self._note(await line.ask(route, due))
        finally:
            line.close()


class _Line:
    """One kept-alive connection, opened again when it breaks."""

    def __init__(self, instance: str, tenants: Sequence[str], key: str) -> None:
        self._instance = instance
        self._host, self._port = urlsplit(instance).hostname, urlsplit(instance).port
        self._tenants = tenants
        self._key = key
        self._streams: tuple[asyncio.StreamReader, asyncio.StreamWriter] | None = None

    async def ask(self, route: int, due: float) -> Resolved:
        """The answer to a request that was due then; status 0: none."""
        asked = time.monotonic()
        try:
            async with asyncio.timeout(ANSWER_SECONDS):
                return await self._exchange(route, due, asked)
        except (OSError, EOFError, TimeoutError):
            self.close()
            return Resolved(self._instance, route, asked, time.monotonic(), status=0, due=due)

    async def _exchange(self, route: int, due: float, asked: float) -> Resolved:
        if self._streams is None:
            self._streams = await asyncio.open_connection(self._host, self._port)
        reader, writer = self._streams
        writer.write(
            f"GET /api/v1/resolve/{self._tenants[route % len(self._tenants)]}/s-{route}/prod/v1 HTTP/1.1\r\nHost: load\r\n"
            f"Authorization: Bearer {self._key}\r\n\r\n".encode()
        )
        lines = (await reader.readuntil(b"\r\n\r\n")).decode().split("\r\n")
        headers = {name.lower(): value for name, _, value in (each.partition(": ") for each in lines[1:])}
        body = await reader.readexactly(int(headers["content-length"]))
        status = int(lines[0].split()[1])
        bound = headers.get("x-staleness-bound", "unknown")
        found = json.loads(body) if status == 200 else {}
        return Resolved(
            self._instance,
            route,
            asked,
            time.monotonic(),
            status,
            due=due,
            url=found.get("url"),
            bound=None if bound == "unknown" else int(bound) / 1000,
            stale="stale" in headers.get("x-cache", ""),
        )

    def close(self) -> None:
        """Close the connection; the next request opens another one."""
        if self._streams is not None:
            with contextlib.suppress(RuntimeError):
                self._streams[1].close()
            self._streams = None
