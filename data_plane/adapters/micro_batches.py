"""One question to a server for all who ask within one turn of the event loop."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from contextvars import Context
from typing import Generic, TypeVar

from prometheus_client import Histogram

_K = TypeVar("_K")
_V = TypeVar("_V")


class Batcher(Generic[_K, _V]):
    """Collects keys and asks for them together, at most `at_once` questions of at most `largest` keys at a time.

    While all questions are under way, what comes in waits and grows into the next one: the busier the server, the
    larger the batches. Every question has to end by itself, in whatever way; its error is told to each who asked.
    """

    def __init__(
        self,
        ask: Callable[[Sequence[_K]], Awaitable[Sequence[_V]]],
        *,
        at_once: int,
        largest: int,
        sizes: Histogram | None = None,
    ) -> None:
        """`ask` answers one value per key, in order. `sizes` observes how many keys a question holds."""
        self._ask = ask
        self._at_once = at_once
        self._largest = largest
        self._sizes = sizes
        self._waiting: list[tuple[_K, asyncio.Future[_V]]] = []
        self._under_way: set[asyncio.Task[None]] = set()
        self._turn: asyncio.AbstractEventLoop | None = None

    async def get(self, key: _K) -> _V:
        """The value of the key. Raises what the question for it raised."""
        # Asked for once a turn: it is a system call.
        loop = self._turn = self._turn or self._begin_turn()
        answer: asyncio.Future[_V] = loop.create_future()
        self._waiting.append((key, answer))
        return await answer

    def _begin_turn(self) -> asyncio.AbstractEventLoop:
        loop = asyncio.get_running_loop()
        # Not at once: others who are ready to run now may ask too.
        loop.call_soon(self._end_turn)
        return loop

    def _end_turn(self) -> None:
        self._turn = None
        self._depart()

    def _depart(self) -> None:
        while self._waiting and len(self._under_way) < self._at_once:
            batch = [each for each in self._waiting[: self._largest] if not each[1].done()]
            del self._waiting[: self._largest]
            if batch:
                self._send(batch)

    def _send(self, batch: list[tuple[_K, asyncio.Future[_V]]]) -> None:
        if self._sizes is not None:
            self._sizes.observe(len(batch))
        # In a context of its own: it is of all who wait, not of the one who asked first.
        task = asyncio.create_task(self._answer(batch), context=Context())
        self._under_way.add(task)
        task.add_done_callback(self._landed)

    def _landed(self, task: asyncio.Task[None]) -> None:
        self._under_way.discard(task)
        self._depart()

    async def _answer(self, batch: list[tuple[_K, asyncio.Future[_V]]]) -> None:
        try:
            values = await self._ask([key for key, _ in batch])
        except asyncio.CancelledError:
            for _, answer in batch:
                answer.cancel()
            raise
        except Exception as error:  # noqa: BLE001 - told to everyone who waits for it
            for _, answer in batch:
                if not answer.done():
                    answer.set_exception(error)
            return
        for (_, answer), value in zip(batch, values, strict=True):
            if not answer.done():
                answer.set_result(value)
