"""Writes at a fixed rate, independent of response times: an open loop over kept-alive connections.

In a process of its own, so that its work does not slow down the measuring process:
`python -m bench.paced <base url> <tenant> <access key> <writes per second> <seconds>` prints the number of responses by status.
"""

import asyncio
import sys
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from urllib.parse import urlsplit

CONNECTIONS = 16


@dataclass(frozen=True, slots=True)
class Answer:
    """Status, and milliseconds from the time the write was due to the end of its response."""

    status: int
    milliseconds: float


async def write(base: str, tenant: str, key: str, rate: float, seconds: float) -> Sequence[Answer]:
    """Write one of the tenant's routes `rate` times a second, with this access key."""
    host, port = urlsplit(base).hostname, urlsplit(base).port
    answers: list[Answer] = []
    start = time.perf_counter() + 0.05

    async def take_turns(place: int) -> None:
        reader, writer = await asyncio.open_connection(host, port)
        for number in range(place, int(rate * seconds), CONNECTIONS):
            due = start + number / rate
            await asyncio.sleep(max(0.0, due - time.perf_counter()))
            writer.write(_request(tenant, key, number))
            status = await _status(reader)
            answers.append(Answer(status, (time.perf_counter() - due) * 1000))
        writer.close()

    async with asyncio.TaskGroup() as tasks:
        for place in range(CONNECTIONS):
            tasks.create_task(take_turns(place))
    return answers


def _request(tenant: str, key: str, number: int) -> bytes:
    body = f'{{"url":"http://{tenant}/{time.time_ns()}"}}'
    return (
        f"PUT /api/v1/tenants/{tenant}/routes/service-{number % 100}/prod/v1 HTTP/1.1\r\nHost: bench\r\n"
        f"Content-Type: application/json\r\nAuthorization: Bearer {key}\r\nContent-Length: {len(body)}\r\n\r\n{body}"
    ).encode()


async def _status(reader: asyncio.StreamReader) -> int:
    head = await reader.readuntil(b"\r\n\r\n")
    length = next(line for line in head.lower().split(b"\r\n") if line.startswith(b"content-length:"))
    await reader.readexactly(int(length.split(b":")[1]))
    return int(head.split(b" ", 2)[1])


if __name__ == "__main__":
    _, base, tenant, key, rate, seconds = sys.argv
    found = Counter(each.status for each in asyncio.run(write(base, tenant, key, float(rate), float(seconds))))
    sys.stdout.write(" ".join(f"{status}:{count}" for status, count in sorted(found.items())) + "\n")
