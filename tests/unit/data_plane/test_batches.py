"""Who asks in the same turn of the event loop shares a question."""

import asyncio
from collections.abc import Sequence

import pytest

from data_plane.adapters.micro_batches import Batcher


class Server:
    """Answers `<key>!`, when its gate is open; remembers what it was asked."""

    def __init__(self) -> None:
        self.asked: list[list[str]] = []
        self.gate = asyncio.Event()
        self.gate.set()

    async def __call__(self, keys: Sequence[str]) -> Sequence[str]:
        self.asked.append(list(keys))
        await self.gate.wait()
        if "bad" in keys:
            raise ConnectionError("it is down")
        return [f"{key}!" for key in keys]


async def _all(batcher: Batcher[str, str], keys: str) -> list[str]:
    async with asyncio.TaskGroup() as group:
        tasks = [group.create_task(batcher.get(key)) for key in keys]
    return [task.result() for task in tasks]


async def _a_turn() -> None:
    for _ in range(3):
        await asyncio.sleep(0)


async def test_one_turn_is_one_question() -> None:
    server = Server()
    assert await _all(Batcher(server, at_once=1, largest=10), "abc") == ["a!", "b!", "c!"]
    assert server.asked == [["a", "b", "c"]]


async def test_no_question_is_larger_than_allowed_and_all_are_asked() -> None:
    server = Server()
    assert await _all(Batcher(server, at_once=1, largest=2), "abcde") == ["a!", "b!", "c!", "d!", "e!"]
    assert server.asked == [["a", "b"], ["c", "d"], ["e"]]


async def test_what_comes_while_all_questions_are_under_way_shares_the_next_one() -> None:
    server = Server()
    server.gate.clear()
    batcher = Batcher(server, at_once=2, largest=10)
    callers = []
    for key in "abcd":
        callers.append(asyncio.create_task(batcher.get(key)))
        await _a_turn()
    assert server.asked == [["a"], ["b"]]
    server.gate.set()
    assert [await each for each in callers] == ["a!", "b!", "c!", "d!"]
    assert server.asked[2:] == [["c", "d"]]


async def test_a_failure_is_told_to_everyone_who_asked_and_to_no_one_else() -> None:
    batcher = Batcher(Server(), at_once=1, largest=2)
    told = [asyncio.create_task(batcher.get(key)) for key in ("bad", "a", "b")]
    for failed in told[:2]:
        with pytest.raises(ConnectionError):
            await failed
    assert await told[2] == "b!"


async def test_who_has_left_is_not_asked_for() -> None:
    server = Server()
    batcher = Batcher(server, at_once=1, largest=10)
    leaving, staying = asyncio.create_task(batcher.get("a")), asyncio.create_task(batcher.get("b"))
    await asyncio.sleep(0)
    leaving.cancel()
    assert await staying == "b!"
    assert server.asked in ([["b"]], [["a", "b"]])
