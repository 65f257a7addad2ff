"""The event stream as a queue in memory."""

import asyncio
from collections.abc import AsyncGenerator, Mapping, Sequence

from data_plane.errors import StreamInterrupted
from shared.schemas.events import RouteChanged


class FakeEventStream:
    """Gives what was sent since it was first opened, one event a batch. `interrupt` breaks it; while `is_down` it cannot be opened.

    `has_caught_up`: cleared by tests that want it to be behind.
    """

    def __init__(self) -> None:
        self._queue: asyncio.Queue[RouteChanged | StreamInterrupted] = asyncio.Queue()
        self.is_down = False
        self.has_caught_up = asyncio.Event()
        self.has_caught_up.set()
        self.opened = 0
        self.resumed_from: dict[int, int] = {}

    def send(self, event: RouteChanged) -> None:
        self._queue.put_nowait(event)

    def interrupt(self) -> None:
        self._queue.put_nowait(StreamInterrupted("the broker went away"))

    def resume_from(self, offsets: Mapping[int, int]) -> None:
        self.resumed_from = dict(offsets)

    async def caught_up(self) -> None:
        await self.has_caught_up.wait()

    async def batches(self) -> AsyncGenerator[Sequence[RouteChanged], None]:
        if self.is_down:
            raise StreamInterrupted("it is down")
        if not self.opened:
            self._queue = asyncio.Queue()
        self.opened += 1
        yield ()
        while True:
            item = await self._queue.get()
            if isinstance(item, StreamInterrupted):
                raise item
            yield (item,)
