"""The faults of `bench.faults`: one for each failure that the resolver must survive."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from enum import StrEnum

import asyncpg

from deploy.local.server import Server
from deploy.local.stack import Stack

FLAP_SECONDS = 0.4


class Fault(StrEnum):
    """The effect on a server for a while."""

    KILLED = "killed"
    FROZEN = "frozen"
    FLAPPING = "flapping"
    """Frozen and thawed again and again."""
    LAGGING = "lagging"
    """A replica that replays nothing, and answers."""


@dataclass(frozen=True, slots=True)
class FaultCase:
    """One fault of one server."""

    server: str
    fault: Fault

    def __str__(self) -> str:
        return f"{self.server} {self.fault}"

    async def happen(self, stack: Stack, seconds: float) -> None:
        """Break the server for so long, and repair it in any case."""
        server: Server = getattr(stack, self.server)
        await _FAULTS[self.fault](server, seconds)


CASES = (
    *(FaultCase("replica", fault) for fault in Fault),
    *(FaultCase(server, fault) for server in ("redis", "kafka", "postgres") for fault in list(Fault)[:3]),
)


async def _killed(server: Server, seconds: float) -> None:
    await server.kill()
    try:
        await asyncio.sleep(seconds)
    finally:
        await server.start()


async def _frozen(server: Server, seconds: float) -> None:
    await server.freeze()
    try:
        await asyncio.sleep(seconds)
    finally:
        await server.thaw()


async def _flapping(server: Server, seconds: float) -> None:
    for _ in range(int(seconds / (2 * FLAP_SECONDS))):
        await _frozen(server, FLAP_SECONDS)
        await asyncio.sleep(FLAP_SECONDS)


async def _lagging(server: Server, seconds: float) -> None:
    standby = await asyncpg.connect(server.urls[0], timeout=5)
    try:
        await standby.execute("SELECT pg_wal_replay_pause()")
        await asyncio.sleep(seconds)
    finally:
        await standby.execute("SELECT pg_wal_replay_resume()")
        await standby.close()


_FAULTS: dict[Fault, Callable[[Server, float], Awaitable[None]]] = {
    Fault.KILLED: _killed,
    Fault.FROZEN: _frozen,
    Fault.FLAPPING: _flapping,
    Fault.LAGGING: _lagging,
}
