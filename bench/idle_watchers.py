"""Idle watch clients in a process of their own, so that their work does not slow down the measuring process.

`python -m bench.idle_watchers <resolver url> <tenant> <watchers>`, the access key on standard input: prints `watching`
once every client has its snapshot, and the number of clients still connected when standard input ends.
"""

import asyncio
import sys
from urllib.parse import urlsplit

AT_ONCE = 50

Connection = tuple[asyncio.StreamReader, asyncio.StreamWriter]


class Watchers:
    """A number of open watches of one tenant."""

    def __init__(self, resolver: str, tenant: str, key: str) -> None:
        self._host, self._port = urlsplit(resolver).hostname, urlsplit(resolver).port
        self._request = (
            f"GET /api/v1/watch/{tenant} HTTP/1.1\r\nHost: bench\r\nAuthorization: Bearer {key}\r\n\r\n".encode()
        )
        self._places = asyncio.Semaphore(AT_ONCE)
        self.still_there = 0

    async def begin(self) -> Connection:
        """Open a watch; returns once its snapshot has arrived."""
        async with self._places:
            reader, writer = await asyncio.open_connection(self._host, self._port)
            writer.write(self._request)
            await reader.readuntil(b"event: snapshot")
            return reader, writer

    async def stay(self, connection: Connection) -> None:
        """Receive events until the resolver ends the stream."""
        reader, _ = connection  # a writer without a reference closes the connection
        self.still_there += 1
        while await reader.read(65536):
            pass
        self.still_there -= 1


async def main(resolver: str, tenant: str, count: int) -> None:
    """Watch until standard input ends."""
    watchers = Watchers(resolver, tenant, sys.stdin.readline().strip())
    async with asyncio.TaskGroup() as group:
        beginning = [group.create_task(watchers.begin()) for _ in range(count)]
    staying = [asyncio.create_task(watchers.stay(each.result())) for each in beginning]
    sys.stdout.write("watching\n")
    sys.stdout.flush()
    await asyncio.to_thread(sys.stdin.readline)
    sys.stdout.write(f"{watchers.still_there}\n")
    for each in staying:
        each.cancel()


if __name__ == "__main__":
    _, resolver, tenant, count = sys.argv
    asyncio.run(main(resolver, tenant, int(count)))
