"""Asks the services for their liveness while a fault lasts."""

import asyncio
import time
from collections.abc import Sequence
from typing import Self

import httpx2

EVERY_SECONDS = 0.1
PATIENCE_SECONDS = 2.0


class Liveness:
    """`GET /health/live` of every service, ten times a second, while the block runs."""

    def __init__(self, urls: Sequence[str]) -> None:
        self._urls = urls
        self._tasks: list[asyncio.Task[None]] = []
        self.failed: list[str] = []
        self.asked = 0
        self.longest = 0.0
        """Seconds of the slowest answer."""

    async def __aenter__(self) -> Self:
        self._tasks = [asyncio.create_task(self._ask(each)) for each in self._urls]
        return self

    async def __aexit__(self, *_: object) -> None:
        for each in self._tasks:
            each.cancel()
        await asyncio.wait(self._tasks)

    async def _ask(self, url: str) -> None:
        async with httpx2.AsyncClient(trust_env=False, timeout=PATIENCE_SECONDS) as http:
            while True:
                begun = time.monotonic()
                try:
                    status = (await http.get(f"{url}/health/live")).status_code
                except httpx2.TransportError as error:
                    self.failed.append(f"{url}: {type(error).__name__}")
                else:
                    if status != httpx2.codes.OK:
                        self.failed.append(f"{url}: {status}")
                self.asked += 1
                self.longest = max(self.longest, time.monotonic() - begun)
                await asyncio.sleep(EVERY_SECONDS)
