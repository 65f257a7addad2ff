"""Clients that send slowly and clients that do not read, in a process of their own.

`python -m bench.faults.hostile_clients <port> <access key> <path> <dribblers> <slow readers> <seconds>` prints JSON: for
how long the connections of each kind were open, in seconds, and how many the server had not closed in the end.
"""

import asyncio
import contextlib
import json
import random
import socket
import sys
import time
from dataclasses import dataclass, field

from deploy.local.ports import LOOPBACK

DRIBBLE_SECONDS = 1.0
RECEIVE_BYTES = 4096
PIPELINED = 2
"""Requests that a slow reader sends at once. More would be a flood of requests, which is another fault."""
LAST_DRIBBLE_SECONDS = 12.0
"""Time for the server to close the connections of dribblers that were opened late, on a machine that is busy."""
TCP_ESTABLISHED = 1
OPENING_SHARE = 0.6
"""Of the time: slow clients are many, and not a burst of requests, which would be another fault."""


@dataclass
class Lives:
    """Seconds for which connections were open until the server closed them, and the number of those it did not close."""

    seconds: list[float] = field(default_factory=list)
    open: int = 0
    refused: int = 0

    def summary(self) -> dict[str, float]:
        """For the output."""
        return {
            "closed": len(self.seconds),
            "longest": max(self.seconds, default=0.0),
            "open": self.open,
            "refused": self.refused,
        }


async def main(port: int, key: str, path: str, dribblers: int, readers: int, seconds: float) -> None:
    """Open all connections, one after the other during the first part of the time, and keep them to its end."""
    begun = time.monotonic()
    ends = begun + seconds
    dribbling, reading = Lives(), Lives()
    kinds = [True] * dribblers + [False] * readers
    random.Random(1).shuffle(kinds)
    async with asyncio.TaskGroup() as group:
        for number, dribbles in enumerate(kinds):
            due = begun + OPENING_SHARE * seconds * number / len(kinds)
            await asyncio.sleep(max(0.0, due - time.monotonic()))
            if dribbles:
                group.create_task(_dribble(port, ends + LAST_DRIBBLE_SECONDS, dribbling))
            else:
                group.create_task(_read_nothing(port, key, path, ends, reading))
    sys.stdout.write(json.dumps({"dribblers": dribbling.summary(), "readers": reading.summary()}) + "\n")


async def _connected(port: int) -> socket.socket:
    client = socket.socket()
    client.setblocking(False)
    client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, RECEIVE_BYTES)
    await asyncio.get_running_loop().sock_connect(client, (LOOPBACK, port))
    return client


async def _dribble(port: int, ends: float, lives: Lives) -> None:
    """Send one byte of a head each second."""
    loop = asyncio.get_running_loop()
    try:
        client = await _connected(port)
    except OSError:
        lives.refused += 1
        return
    begun, head = time.monotonic(), b"GET /health/live HTTP/1.1\r\nX-Slow: " + b"x" * 100_000
    with contextlib.closing(client):
        for place in range(len(head)):
            if time.monotonic() > ends:
                lives.open += 1
                return
            try:
                await loop.sock_sendall(client, head[place : place + 1])
                async with asyncio.timeout(DRIBBLE_SECONDS):
                    if not await loop.sock_recv(client, 1024):
                        break
            except TimeoutError:
                continue
            except OSError:
                break
        lives.seconds.append(time.monotonic() - begun)


async def _read_nothing(port: int, key: str, path: str, ends: float, lives: Lives) -> None:
    """Request the path several times, and read none of the answers."""
    loop = asyncio.get_running_loop()
    try:
        client = await _connected(port)
    except OSError:
        lives.refused += 1
        return
    begun = time.monotonic()
    request = f"GET {path} HTTP/1.1\r\nHost: slow\r\nAuthorization: Bearer {key}\r\n\r\n".encode()
    with contextlib.closing(client):
        await loop.sock_sendall(client, PIPELINED * request)
        await asyncio.sleep(max(0.0, ends - time.monotonic()))
        if is_closed(client):
            lives.seconds.append(time.monotonic() - begun)
        else:
            lives.open += 1


def is_closed(client: socket.socket) -> bool:
    """Whether the server has closed the connection, without reading from it. From the kernel: `tcp_info` begins with the state."""
    state: int = client.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, 1)[0]
    return state != TCP_ESTABLISHED


if __name__ == "__main__":
    _, port, key, path, dribblers, readers, seconds = sys.argv
    asyncio.run(main(int(port), key, path, int(dribblers), int(readers), float(seconds)))
