"""One run of `bench.faults`: a tenant with continuous writes and resolves, and the check of every answer."""

import asyncio
import itertools
import random
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager

import httpx2

from bench.commit_history import CommitHistory, Judge, Promise, Resolved
from bench.zipf_load import Zipf, ZipfLoad

AT_ONCE = 500
"""Changes in a change set."""
WRITES_PER_SECOND = 20
RECOVERY_SECONDS = 60.0


class FaultRun:
    """One writer, and readers of all instances. `control` is a client whose base URL is the tenant's in the control API."""

    def __init__(
        self,
        control: httpx2.AsyncClient,
        instances: Sequence[str],
        *,
        tenant: str,
        key: str,
        routes: int,
        promise: Promise,
    ) -> None:
        self._control = control
        self._routes = routes
        self._promise = promise
        self._history = CommitHistory()
        self._instances = instances
        self._load = ZipfLoad(instances, tenant, key, routes, self._note)
        self._numbers = itertools.count()
        self.judge = Judge(self._history, promise)

    async def prepare(self) -> None:
        """Write every route once, and resolve it once at every instance."""
        for start in range(0, self._routes, AT_ONCE):
            some = range(start, min(start + AT_ONCE, self._routes))
            writes = [self._history.begin(each, f"http://first/{each}", time.monotonic()) for each in some]
            changes = [_change(route, write.url) for route, write in zip(some, writes, strict=True)]
            (await self._control.post("/changes", json={"changes": changes})).raise_for_status()
            for each in writes:
                each.acknowledged = time.monotonic()
        await self._until_answered(self._routes - 1, f"http://first/{self._routes - 1}")
        await self._load.ask_each_once()

    @asynccontextmanager
    async def going_on(self, rate: float) -> AsyncIterator[Judge]:
        """Write, and resolve at this rate, while the block runs. The judge receives the answers."""
        self.judge = Judge(self._history, self._promise)
        enough = asyncio.Event()
        async with asyncio.TaskGroup() as group:
            group.create_task(self._write(enough))
            asking = group.create_task(self._load.run(rate))
            try:
                yield self.judge
            finally:
                # The last write is waited for: it could otherwise be committed after those that come next.
                enough.set()
                asking.cancel()

    async def recover(self) -> float:
        """Write once more; returns the seconds until every instance answers with it."""
        begun, url = time.monotonic(), f"http://recovered/{next(self._numbers)}"
        await self._put(0, url)
        await self._until_answered(0, url)
        return time.monotonic() - begun

    def _note(self, answer: Resolved) -> None:
        self.judge.note(answer)

    async def _write(self, enough: asyncio.Event) -> None:
        zipf, chance = Zipf(self._routes, seed=1), random.Random(1)  # noqa: S311 - load, not a secret
        while not enough.is_set():
            url = None if chance.random() < 0.1 else f"http://write/{next(self._numbers)}"
            await self._put(zipf.draw(), url)
            await asyncio.sleep(1 / WRITES_PER_SECOND)

    async def _put(self, route: int, url: str | None) -> None:
        """Write until it is acknowledged: a failed write may have been committed, and repeating it changes nothing."""
        write = self._history.begin(route, url, time.monotonic())
        while True:
            if await self._accepted({"changes": [_change(route, url)]}):
                write.acknowledged = time.monotonic()
                return
            await asyncio.sleep(0.2)

    async def _accepted(self, body: object) -> bool:
        try:
            return (await self._control.post("/changes", json=body)).status_code == 200
        except httpx2.TransportError:
            return False

    async def _until_answered(self, route: int, url: str) -> None:
        async with asyncio.timeout(RECOVERY_SECONDS):
            for instance in self._instances:
                while True:
                    if await self._load.url_of(instance, route) == url:
                        break
                    await asyncio.sleep(0.05)


def _change(route: int, url: str | None) -> dict[str, object]:
    name = {"service": f"s-{route}", "env": "prod", "version": "v1"}
    return {"op": "deactivate", **name} if url is None else {"op": "put", **name, "url": url}
