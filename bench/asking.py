"""Resolves at a fixed rate, independent of response times: an open loop over kept-alive connections."""

import asyncio
import random
import time
from collections.abc import Sequence
from dataclasses import dataclass
from urllib.parse import urlsplit

GAVE_UP = 0
"""The status of a request that timed out or whose connection broke."""


@dataclass(frozen=True, slots=True)
class Answer:
    """Status; `due`: seconds from the start of the run until the request was due; `took`: from then to the end of the response."""

    status: int
    due: float
    took: float


def zipf(keys: Sequence[str], count: int, seed: int = 1) -> list[str]:
    """A sample of the keys with Zipf's distribution: the first ones are by far the most frequent."""
    weights = [1 / place for place in range(1, len(keys) + 1)]
    return random.Random(seed).choices(keys, weights, k=count)


async def ask(
    bases: Sequence[str],
    keys: Sequence[str],
    rate: float,
    *,
    authorization: str,
    connections: int = 32,
    patience: float = 2.0,
) -> list[Answer]:
    """Resolve the keys (`tenant/service/env/version`) in order, at `rate` requests per second over all base URLs."""
    start = time.perf_counter() + 0.05
    answers: list[Answer] = []

    async def take_turns(place: int) -> None:
        base = bases[place % len(bases)]
        streams = await _open(base)
        for number in range(place, len(keys), connections):
            due = start + number / rate
            await asyncio.sleep(max(0.0, due - time.perf_counter()))
            status = GAVE_UP
            try:
                async with asyncio.timeout(patience):
                    status = await _get(streams, keys[number], authorization)
            except (OSError, TimeoutError, asyncio.IncompleteReadError):
                streams[1].close()
                streams = await _open(base)
            answers.append(Answer(status, due - start, time.perf_counter() - due))
        streams[1].close()

    async with asyncio.TaskGroup() as tasks:
        for place in range(connections):
            tasks.create_task(take_turns(place))
    return answers


def share_of_good(answers: Sequence[Answer], since: float, until: float) -> float:
    """The share of requests due in this period with status 200 or 404."""
    due = [each for each in answers if since <= each.due < until]
    return sum(each.status in (200, 404) for each in due) / max(1, len(due))


async def _open(base: str) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    parts = urlsplit(base)
    return await asyncio.open_connection(parts.hostname, parts.port)


async def _get(streams: tuple[asyncio.StreamReader, asyncio.StreamWriter], key: str, authorization: str) -> int:
    reader, writer = streams
    head_lines = f"GET /api/v1/resolve/{key} HTTP/1.1\r\nHost: bench\r\nAuthorization: {authorization}\r\n\r\n"
    writer.write(head_lines.encode())
    head = await reader.readuntil(b"\r\n\r\n")
    lengths = [line for line in head.lower().split(b"\r\n") if line.startswith(b"content-length:")]
    await reader.readexactly(int(lengths[0].split(b":")[1]) if lengths else 0)
    return int(head.split(b" ", 2)[1])
