import asyncio
from collections.abc import Sequence

import pytest

from shared.runtime import correlation
from shared.runtime.micro_batcher import BatchedCall, MicroBatcher
from tests.support.waiting import eventually


class Server:
    """Answers `<key>!` while `is_open` is set; records the batches that it received."""

    def __init__(self) -> None:
        self.batches: list[list[str]] = []
        self.is_open = asyncio.Event()
        self.is_open.set()

    async def __call__(self, keys: Sequence[str]) -> Sequence[str]:
        self.batches.append(list(keys))
        await self.is_open.wait()
        if "bad" in keys:
            raise ConnectionError("it is down")
        return [f"{key}!" for key in keys]


async def _call_with_each(call: BatchedCall[str, str], keys: str) -> list[str]:
    async with asyncio.TaskGroup() as group:
        tasks = [group.create_task(call(key)) for key in keys]
    return [task.result() for task in tasks]


async def _some_iterations() -> None:
    for _ in range(3):
        await asyncio.sleep(0)


async def test_calls_of_one_event_loop_iteration_share_a_batch() -> None:
    server = Server()
    assert await _call_with_each(BatchedCall(server, max_concurrent=1, max_size=10), "abc") == ["a!", "b!", "c!"]
    assert server.batches == [["a", "b", "c"]]


async def test_calls_beyond_the_batch_size_form_further_batches() -> None:
    server = Server()
    results = await _call_with_each(BatchedCall(server, max_concurrent=1, max_size=2), "abcde")
    assert results == ["a!", "b!", "c!", "d!", "e!"]
    assert server.batches == [["a", "b"], ["c", "d"], ["e"]]


async def test_calls_share_the_next_batch_while_all_batches_are_in_progress() -> None:
    server = Server()
    server.is_open.clear()
    call = BatchedCall(server, max_concurrent=2, max_size=10)
    callers = []
    for key in "abcd":
        callers.append(asyncio.create_task(call(key)))
        await _some_iterations()
    assert server.batches == [["a"], ["b"]]
    server.is_open.set()
    assert [await each for each in callers] == ["a!", "b!", "c!", "d!"]
    assert server.batches[2:] == [["c", "d"]]


async def test_a_failed_batch_raises_in_each_of_its_callers_and_in_no_other() -> None:
    call = BatchedCall(Server(), max_concurrent=1, max_size=2)
    callers = [asyncio.create_task(call(key)) for key in ("bad", "a", "b")]
    for failed in callers[:2]:
        with pytest.raises(ConnectionError):
            await failed
    assert await callers[2] == "b!"


async def test_a_call_cancelled_before_its_batch_starts_is_left_out() -> None:
    server = Server()
    server.is_open.clear()
    call = BatchedCall(server, max_concurrent=1, max_size=10)
    first, cancelled, last = (asyncio.create_task(call(key)) for key in "abc")
    await _some_iterations()
    late, also_late = asyncio.create_task(call("d")), asyncio.create_task(call("e"))
    await _some_iterations()
    cancelled.cancel()
    late.cancel()
    server.is_open.set()
    assert [await each for each in (first, last, also_late)] == ["a!", "c!", "e!"]
    assert server.batches == [["a", "b", "c"], ["e"]]


async def test_a_batch_runs_outside_its_first_callers_context() -> None:
    seen: list[str | None] = []

    async def process(_: list[str]) -> None:
        seen.append(correlation.current())

    correlation.bind("req-of-the-first-caller")
    batcher = MicroBatcher(process, is_abandoned=lambda _: False, max_concurrent=1, max_size=10)
    batcher.add("a")
    await _some_iterations()
    assert seen == [None]


async def test_collecting_ends_with_the_event_loop_iteration() -> None:
    async def process(_: list[str]) -> None: ...

    batcher = MicroBatcher(process, is_abandoned=lambda _: False, max_concurrent=1, max_size=10)
    assert not batcher.is_collecting
    assert batcher.collect() is asyncio.get_running_loop()
    batcher.add("a")
    assert batcher.is_collecting
    await _some_iterations()
    assert not batcher.is_collecting


async def test_close_cancels_the_batches_in_progress_and_starts_no_further_ones() -> None:
    started: list[list[str]] = []
    ended: list[list[str]] = []

    async def process(batch: list[str]) -> None:
        started.append(batch)
        try:
            await asyncio.Event().wait()
        finally:
            ended.append(batch)

    batcher = MicroBatcher(process, is_abandoned=lambda _: False, max_concurrent=1, max_size=1)
    batcher.add("a")
    batcher.add("b")

    async def is_started() -> bool:
        return bool(started)

    await eventually(is_started)
    await batcher.close()
    await _some_iterations()
    assert (started, ended) == ([["a"]], [["a"]])
