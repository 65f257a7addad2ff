"""Records a resolver's answers over time and checks that no revision goes backwards."""

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

from data_plane.composition.connect import ResolverProcess
from data_plane.domain.answer import Answer
from data_plane.errors import RouteUnknown
from shared.schemas.identity import RouteKey
from tests.support.active_values import url_of
from tests.support.waiting import eventually


@dataclass
class AnswerRecorder:
    """Every answer of one resolver for one key, with the monotonic time of the request."""

    instance: ResolverProcess
    key: RouteKey
    answers: list[tuple[float, Answer]] = field(default_factory=list)
    refused: int = 0

    async def resolve(self) -> Answer | None:
        """One more answer; None when no source was available."""
        requested_at = time.monotonic()
        try:
            answer = await self.instance.core.resolver.resolve(self.key)
        except RouteUnknown:
            self.refused += 1
            return None
        before = max((each.entry.revision for _, each in self.answers), default=0)
        assert answer.entry.revision >= before, f"revision {answer.entry.revision} after {before}"
        self.answers.append((requested_at, answer))
        return answer

    async def until(self, url: str | None, *, within: float = 15.0) -> None:
        """Wait for an answer with this URL (None: no active route)."""
        await eventually(lambda: self._has(url), within=within)

    async def _has(self, url: str | None) -> bool:
        answer = await self.resolve()
        return answer is not None and url_of(answer.entry) == url

    async def run(self) -> None:
        """Resolve continuously until cancelled."""
        while True:
            await self.resolve()
            await asyncio.sleep(0.001)


@asynccontextmanager
async def recording_answers(key: RouteKey, *instances: ResolverProcess) -> AsyncIterator[list[AnswerRecorder]]:
    """Resolve the key continuously on all of these resolvers; a revision that goes backwards fails the test."""
    recorders = [AnswerRecorder(instance, key) for instance in instances]
    async with asyncio.TaskGroup() as group:
        tasks = [group.create_task(recorder.run()) for recorder in recorders]
        yield recorders
        for task in tasks:
            task.cancel()
