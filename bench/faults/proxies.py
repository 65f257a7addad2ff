"""TCP proxies in front of real servers that break a call here and there."""

import asyncio
import contextlib
import random
import struct
from collections.abc import AsyncIterator, Callable
from typing import Protocol

from deploy.local.ports import LOOPBACK

CHUNK = 65_536
PRODUCE = 0
"""The API key of Kafka's produce requests, whose responses are the acknowledgements."""
POSTGRES_IDLE = b"Z\x00\x00\x00\x05I"
"""PostgreSQL's ReadyForQuery outside a transaction: the last thing that a server sends in a call."""


class Tampering(Protocol):
    """What is done to one connection. Both methods return what is passed on; None breaks the connection."""

    def to_server(self, data: bytes) -> bytes | None: ...

    def to_client(self, data: bytes) -> bytes | None: ...


@contextlib.asynccontextmanager
async def proxy(port: int, upstream: int, new_tampering: Callable[[], Tampering]) -> AsyncIterator[None]:
    """Listens on a port of the loopback address, in front of another one, while the block runs."""
    open_writers: set[asyncio.StreamWriter] = set()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        tampering = new_tampering()
        try:
            upstream_reader, upstream_writer = await asyncio.open_connection(LOOPBACK, upstream)
        except OSError:
            writer.transport.abort()
            return
        both = {writer, upstream_writer}
        open_writers.update(both)
        pumps = [
            asyncio.create_task(_pump(reader, upstream_writer, tampering.to_server)),
            asyncio.create_task(_pump(upstream_reader, writer, tampering.to_client)),
        ]
        await asyncio.wait(pumps, return_when=asyncio.FIRST_COMPLETED)
        for pump in pumps:
            pump.cancel()
        for each in both:
            each.transport.abort()
        open_writers.difference_update(both)

    server = await asyncio.start_server(serve, LOOPBACK, port)
    try:
        yield
    finally:
        server.close()
        for each in open_writers:
            each.transport.abort()


async def _pump(
    reader: asyncio.StreamReader, writer: asyncio.StreamWriter, tamper: Callable[[bytes], bytes | None]
) -> None:
    with contextlib.suppress(OSError):
        while data := await reader.read(CHUNK):
            passed = tamper(data)
            if passed is None:
                return
            writer.write(passed)
            await writer.drain()


class Acknowledgements:
    """Kafka's acknowledgements. While `swallowed`, produce requests reach the broker and their responses never come back."""

    def __init__(self) -> None:
        self.swallowed = False
        self.count = 0
        """Responses swallowed so far."""

    def connection(self) -> Tampering:
        """For one connection."""
        return _KafkaConnection(self)


class _KafkaConnection:
    def __init__(self, acknowledgements: Acknowledgements) -> None:
        self._acknowledgements = acknowledgements
        self._requests, self._responses = bytearray(), bytearray()
        self._produced: set[int] = set()

    def to_server(self, data: bytes) -> bytes:
        for frame in frames(self._requests, data):
            api_key, _, correlation = struct.unpack_from(">hhi", frame, 4)
            if api_key == PRODUCE:
                self._produced.add(correlation)
        return data

    def to_client(self, data: bytes) -> bytes:
        passed = bytearray()
        for frame in frames(self._responses, data):
            (correlation,) = struct.unpack_from(">i", frame, 4)
            if correlation in self._produced and self._acknowledgements.swallowed:
                self._acknowledgements.count += 1
            else:
                passed += frame
            self._produced.discard(correlation)
        return bytes(passed)


def frames(buffered: bytearray, data: bytes) -> list[bytes]:
    """The complete frames of Kafka's protocol, length included; the rest stays in the buffer."""
    buffered += data
    complete = []
    while len(buffered) >= 4:
        end = 4 + struct.unpack_from(">i", buffered)[0]
        if len(buffered) < end:
            break
        complete.append(bytes(buffered[:end]))
        del buffered[:end]
    return complete


class Coin:
    """Decides which calls fail: the connection of such a call is broken when the call begins."""

    def __init__(self, share: float, seed: int = 1) -> None:
        self._share = share
        self._chance = random.Random(seed)
        self.calls = 0
        self.failed = 0

    def fails(self) -> bool:
        """Toss it for one call."""
        fails = self._chance.random() < self._share
        self.calls += 1
        self.failed += fails
        return fails

    def postgres(self) -> Tampering:
        """For one connection to PostgreSQL: a call is a transaction."""
        return _PostgresConnection(self)

    def redis(self) -> Tampering:
        """For one connection to Redis: a call is what a client sends at once."""
        return _RedisConnection(self)


class _PostgresConnection:
    def __init__(self, coin: Coin) -> None:
        self._coin = coin
        self._is_idle = False

    def to_server(self, data: bytes) -> bytes | None:
        if self._is_idle and self._coin.fails():
            return None
        self._is_idle = False
        return data

    def to_client(self, data: bytes) -> bytes:
        self._is_idle = data.endswith(POSTGRES_IDLE)
        return data


class _RedisConnection:
    def __init__(self, coin: Coin) -> None:
        self._coin = coin

    def to_server(self, data: bytes) -> bytes | None:
        return None if self._coin.fails() else data

    def to_client(self, data: bytes) -> bytes:
        return data
