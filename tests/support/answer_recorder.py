"""Records the answers of an instance and checks that revisions never decrease."""

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

from data_plane.composition.connect import ResolverProcess
from data_plane.domain.answer import Answer
from data_plane.errors import RouteUnknown
from shared.schemas.identity import RouteKey
from tests.support.waiting import eventually


@dataclass
class AnswerRecorder:
    """The answers of one instance for one key, each with the monotonic time of its request."""

    instance: ResolverProcess
    key: RouteKey
    answers: list[tuple[float, Answer]] = field(default_factory=list)
    refused: int = 0

    async def ask(self) -> Answer | None:
        """Resolves the key once; None when no source could answer."""
        asked = time.monotonic()
        try:
            answer = await self.instance.core.resolver.resolve(self.key)
        except RouteUnknown:
            self.refused += 1
            return None
        before = max((each.entry.revision for _, each in self.answers), default=0)
        assert answer.entry.revision >= before, f"revision {answer.entry.revision} after {before}"
        self.answers.append((asked, answer))
        return answer

    async def until(self, url: str | None, *, within: float = 15.0) -> None:
        """Waits for an answer with this URL (None: no active route)."""
        await eventually(lambda: self._says(url), within=within)

    async def _says(self, url: str | None) -> bool:
        answer = await self.ask()
        return answer is not None and answer.entry.url == url

    async def run(self) -> None:
        """Resolves the key repeatedly until cancelled."""
        while True:
            await self.ask()
            await asyncio.sleep(0.001)


@asynccontextmanager
async def recording_answers(key: RouteKey, *instances: ResolverProcess) -> AsyncIterator[list[AnswerRecorder]]:
    """Resolves the key at these instances continuously; a lower revision than before fails the test."""
    watches = [AnswerRecorder(instance, key) for instance in instances]
    async with asyncio.TaskGroup() as group:
        tasks = [group.create_task(watch.run()) for watch in watches]
        yield watches
        for task in tasks:
            task.cancel()
