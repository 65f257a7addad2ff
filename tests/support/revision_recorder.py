"""Records the revisions that resolvers return during a fault."""

import asyncio
from collections import defaultdict
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from shared.schemas.identity import RouteKey
from tests.support.system import System


class RevisionRecorder:
    """Resolves a route at resolvers continuously and records the statuses and revisions of the answers."""

    def __init__(self, system: System, key: RouteKey) -> None:
        self._system = system
        self._key = key
        self.statuses: set[int] = set()
        self.revisions: dict[str, list[int]] = defaultdict(list)

    async def run(self, resolver: str) -> None:
        while True:
            answer = await self._system.resolve(resolver, self._key)
            self.statuses.add(answer.status_code)
            if answer.status_code == 200:
                self.revisions[resolver].append(answer.json()["revision"])
            await asyncio.sleep(0.002)


@asynccontextmanager
async def recording_revisions(system: System, key: RouteKey) -> AsyncIterator[RevisionRecorder]:
    """Resolves a route at every resolver while the block runs; a lower revision after a higher one fails the test."""
    recorder = RevisionRecorder(system, key)
    tasks = [asyncio.create_task(recorder.run(resolver)) for resolver in system.resolver_urls]
    try:
        yield recorder
    finally:
        for task in tasks:
            task.cancel()
        ended, _ = await asyncio.wait(tasks)
    assert [task.exception() for task in ended if not task.cancelled()] == []
    for resolver, revisions in recorder.revisions.items():
        assert revisions == sorted(revisions), f"{resolver} went back in time"
