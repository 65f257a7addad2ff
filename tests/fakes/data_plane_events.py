"""The event stream as a log in memory."""

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager

from data_plane.domain.event_batch import EventBatch
from data_plane.errors import StreamInterrupted
from shared.schemas.events import ChangesWithheld, RouteChanged


class FakeEventStream:
    """The EventStream port, with one event per batch. `interrupt` ends its subscription; while `is_down` there is none.

    `has_caught_up`: cleared by tests in which the stream is behind.
    """

    def __init__(self) -> None:
        self._log: list[RouteChanged | ChangesWithheld] = []
        self._applied: int | None = None
        self._news = asyncio.Event()
        self._is_interrupted = False
        self.is_down = False
        self.has_caught_up = asyncio.Event()
        self.has_caught_up.set()
        self.opened = 0
        self.resumed_from: dict[int, int] = {}

    def send(self, event: RouteChanged | ChangesWithheld) -> None:
        self._log.append(event)
        self._news.set()

    def interrupt(self) -> None:
        self._is_interrupted = True
        self._news.set()

    def resume_from(self, offsets: Mapping[int, int]) -> None:
        self.resumed_from = dict(offsets)

    async def caught_up(self) -> None:
        await self.has_caught_up.wait()

    @asynccontextmanager
    async def subscribe(self) -> AsyncIterator["FakeEventSubscription"]:
        if self.is_down:
            raise StreamInterrupted("it is down")
        self._is_interrupted = False
        self.opened += 1
        if self._applied is None:
            self._applied = len(self._log)
        yield FakeEventSubscription(self, self._applied)

    async def batch_at(self, offset: int) -> EventBatch:
        """The event at this offset of the log, once there is one."""
        while not self._is_interrupted:
            if offset < len(self._log):
                event = self._log[offset]
                if isinstance(event, ChangesWithheld):
                    return EventBatch(next_offsets={0: offset + 1}, withheld=(event,))
                return EventBatch((event,), {0: offset + 1})
            self._news.clear()
            await self._news.wait()
        raise StreamInterrupted("the broker went away")

    def mark_applied(self, batch: EventBatch) -> None:
        self._applied = batch.next_offsets[0]


class FakeEventSubscription:
    """The EventSubscription port."""

    def __init__(self, stream: FakeEventStream, offset: int) -> None:
        self._stream = stream
        self._offset = offset

    async def poll(self) -> EventBatch:
        batch = await self._stream.batch_at(self._offset)
        self._offset = batch.next_offsets[0]
        return batch

    def mark_applied(self, batch: EventBatch) -> None:
        self._stream.mark_applied(batch)
