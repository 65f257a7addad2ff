"""Micro-batching: items added in one iteration of the event loop are processed together.

`MicroBatcher` is the mechanism; `BatchedCall` is a function that gives each caller the result for its own argument.
"""

import asyncio
from collections.abc import Awaitable, Callable, Coroutine, Sequence
from contextvars import Context
from typing import Any, Generic, TypeVar

from prometheus_client import Histogram

_Item = TypeVar("_Item")
_Argument = TypeVar("_Argument")
_Result = TypeVar("_Result")


class MicroBatcher(Generic[_Item]):
    """Collects items and processes them in batches, oldest first.

    A batch starts at the end of the event loop iteration in which its first item was added. While `max_concurrent`
    batches are in progress, further items wait and form the next batch: the slower the processing, the larger the batch.
    """

    def __init__(
        self,
        process: Callable[[list[_Item]], Coroutine[Any, Any, None]],
        *,
        is_abandoned: Callable[[_Item], bool],
        max_concurrent: int,
        max_size: int,
    ) -> None:
        """`process` must end in bounded time and handle its own errors. `max_size`: items per batch.

        An item for which `is_abandoned` is true when its batch starts is left out.
        """
        self._process = process
        self._is_abandoned = is_abandoned
        self._max_concurrent = max_concurrent
        self._max_size = max_size
        self._waiting: list[_Item] = []
        self._in_progress: set[asyncio.Task[None]] = set()
        self._loop: asyncio.AbstractEventLoop | None = None

    @property
    def is_collecting(self) -> bool:
        """Whether collecting has begun in this iteration of the event loop."""
        return self._loop is not None

    def collect(self) -> asyncio.AbstractEventLoop:
        """Begin to collect, unless this iteration has already. Returns the running loop (looking it up is a system call)."""
        return self._loop or self._begin_iteration()

    def add(self, item: _Item) -> None:
        """Queue the item for the next batch."""
        if self._loop is None:
            self._begin_iteration()
        self._waiting.append(item)

    async def close(self) -> None:
        """Drop the items that wait, cancel the batches in progress, and wait until those have ended."""
        self._waiting.clear()
        batches = set(self._in_progress)
        for batch in batches:
            batch.cancel()
        if batches:
            await asyncio.wait(batches)

    def _begin_iteration(self) -> asyncio.AbstractEventLoop:
        loop = self._loop = asyncio.get_running_loop()
        # Deferred, so that other callbacks that are ready in this iteration can add items too.
        loop.call_soon(self._end_iteration)
        return loop

    def _end_iteration(self) -> None:
        self._loop = None
        self._start_batches()

    def _start_batches(self) -> None:
        while self._waiting and len(self._in_progress) < self._max_concurrent:
            batch = [item for item in self._waiting[: self._max_size] if not self._is_abandoned(item)]
            del self._waiting[: self._max_size]
            if batch:
                self._start(batch)

    def _start(self, batch: list[_Item]) -> None:
        # In an empty context: a batch serves many callers, so no single caller's correlation id or span may apply to it.
        task = asyncio.create_task(self._process(batch), context=Context())
        self._in_progress.add(task)
        task.add_done_callback(self._finish)

    def _finish(self, task: asyncio.Task[None]) -> None:
        self._in_progress.discard(task)
        self._start_batches()


class BatchedCall(Generic[_Argument, _Result]):
    """Makes one call with many arguments out of many callers' calls with one argument each."""

    def __init__(
        self,
        function: Callable[[Sequence[_Argument]], Awaitable[Sequence[_Result]]],
        *,
        max_concurrent: int,
        max_size: int,
        sizes: Histogram | None = None,
    ) -> None:
        """`function` returns one result per argument, in order. `sizes` observes the number of arguments per call."""
        self._function = function
        self._sizes = sizes
        self._batcher: MicroBatcher[tuple[_Argument, asyncio.Future[_Result]]] = MicroBatcher(
            self._process, is_abandoned=_has_no_waiter, max_concurrent=max_concurrent, max_size=max_size
        )

    async def __call__(self, argument: _Argument) -> _Result:
        """The result for this argument. Raises what `function` raised for the batch; cancelling affects no other caller."""
        future: asyncio.Future[_Result] = self._batcher.collect().create_future()
        self._batcher.add((argument, future))
        return await future

    async def _process(self, batch: list[tuple[_Argument, asyncio.Future[_Result]]]) -> None:
        try:
            await self._answer(batch)
        except asyncio.CancelledError:
            for _, future in batch:
                future.cancel()
            raise
        except Exception as error:  # noqa: BLE001 - raised in every caller of the batch
            for _, future in batch:
                if not future.done():
                    future.set_exception(error)

    async def _answer(self, batch: list[tuple[_Argument, asyncio.Future[_Result]]]) -> None:
        if self._sizes is not None:
            self._sizes.observe(len(batch))
        results = await self._function([argument for argument, _ in batch])
        for (_, future), result in zip(batch, results, strict=True):
            if not future.done():
                future.set_result(result)


def _has_no_waiter(item: tuple[object, "asyncio.Future[Any]"]) -> bool:
    return item[1].done()
