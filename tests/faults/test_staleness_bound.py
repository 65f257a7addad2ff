"""On real servers, no answer is stale for longer than its X-Staleness-Bound, whichever server is frozen."""

import asyncio
import itertools
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from shared.schemas.identity import RouteKey
from tests.support.system import System
from tests.support.waiting import eventually


class StalenessRecorder:
    """Writes a route continuously, resolves it at every resolver, and checks each answer against the acknowledged writes."""

    def __init__(self, system: System, key: RouteKey) -> None:
        self._system = system
        self._key = key
        self.acknowledged: list[float] = []
        self.checked = 0
        self.was_wrong = 0

    async def write(self) -> None:
        for number in itertools.count():
            await self._system.put(self._key, f"http://write-{number}")
            self.acknowledged.append(time.monotonic())
            await asyncio.sleep(0.05)

    async def read(self, resolver: str) -> None:
        while True:
            requested_at = time.monotonic()
            answer = await self._system.resolve(resolver, self._key)
            if answer.status_code == 200 and answer.headers["X-Staleness-Bound"] != "unknown":
                self._check(answer.json()["url"], int(answer.headers["X-Staleness-Bound"]) / 1000, requested_at)
            await asyncio.sleep(0.005)

    def _check(self, url: str, bound: float, requested_at: float) -> None:
        newer = self.acknowledged[int(url.removeprefix("http://write-")) + 1 :]
        # A lower bound on the staleness: the answer was created after the request.
        wrong_for = max(0.0, requested_at - newer[0]) if newer else 0.0
        assert wrong_for <= bound, f"{url} was stale for {wrong_for} s, its bound was {bound} s"
        self.checked += 1
        self.was_wrong += wrong_for > 0


@asynccontextmanager
async def recorded(system: System) -> AsyncIterator[StalenessRecorder]:
    """Records answers while the block runs; an answer that exceeded its bound fails the test."""
    record = StalenessRecorder(system, await system.new_key())
    working = [record.write(), *(record.read(each) for each in system.resolver_urls)]
    tasks = [asyncio.create_task(each) for each in working]
    try:
        yield record
    finally:
        for task in tasks:
            task.cancel()
        ended, _ = await asyncio.wait(tasks)
    assert [task.exception() for task in ended if not task.cancelled()] == []


async def until_checked(record: StalenessRecorder, more: int) -> None:
    """Waits for `more` further answers."""
    target = record.checked + more

    async def enough() -> bool:
        return record.checked >= target

    await eventually(enough, within=60)


async def test_no_answer_is_stale_for_longer_than_its_bound(system: System) -> None:
    async with recorded(system) as record:
        await until_checked(record, 200)
        for server in (system.stack.kafka, system.stack.replica, system.stack.redis):
            await server.freeze()
            try:
                await until_checked(record, 400)
            finally:
                await server.thaw()
            await until_checked(record, 100)
    assert record.was_wrong > 0, "no answer was ever stale, so the test proves nothing"
