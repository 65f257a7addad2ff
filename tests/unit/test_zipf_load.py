"""The load asks when a question is due, and a line that is behind does not make its questions look younger."""

import asyncio
import contextlib
from itertools import pairwise

import pytest

from bench.faults.commit_history import Resolved
from bench.faults.zipf_load import ZipfLoad

RATE = 1000.0
ANSWERS = 5


async def test_a_question_that_waits_for_its_line_keeps_the_time_it_was_due() -> None:
    answers: list[Resolved] = []
    enough, all_due = asyncio.Event(), asyncio.Event()

    async def answer_late(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.closing(writer), contextlib.suppress(asyncio.IncompleteReadError):
            while await reader.readuntil(b"\r\n\r\n"):
                await all_due.wait()
                writer.write(b"HTTP/1.1 404 Not Found\r\ncontent-length: 0\r\n\r\n")

    def note(answer: Resolved) -> None:
        answers.append(answer)
        if len(answers) == ANSWERS:
            enough.set()

    server = await asyncio.start_server(answer_late, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    asking = asyncio.create_task(ZipfLoad([f"http://127.0.0.1:{port}"], ["tenant"], "key", 1, note).run(RATE))
    try:
        async with server, asyncio.timeout(30):
            asyncio.get_running_loop().call_later(2 * ANSWERS / RATE, all_due.set)
            await enough.wait()
    finally:
        asking.cancel()
        await asyncio.wait([asking])
    first, *later = answers
    assert [b.due - a.due for a, b in pairwise(answers)] == pytest.approx([1 / RATE] * (ANSWERS - 1))  # type: ignore[operator]
    assert all(each.asked >= first.answered for each in later)
    assert all(each.answered - each.since >= each.answered - each.asked for each in answers)
