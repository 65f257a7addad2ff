"""Faults of servers. `CASES` has one for each failure that the resolver must survive."""

import asyncio
from collections.abc import Awaitable, Callable, Coroutine
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, TypeAlias

import asyncpg

from deploy.local.errors import NotReady
from deploy.local.server import Server
from deploy.local.stack import Stack

FLAP_SECONDS = 0.4
ATTEMPTS = 4

Control: TypeAlias = Callable[[], Coroutine[Any, Any, None]]
"""A method of a server that starts, stops or breaks it."""


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


async def beside_load(control: Control) -> None:
    """Control a server in a thread of its own: to look through all processes would stall the load.

    A server that a loaded machine starts too slowly gets more time: that is not what the row is about.
    """
    for attempt in range(1, ATTEMPTS + 1):
        try:
            await asyncio.to_thread(asyncio.run, control())
        except NotReady:
            if attempt == ATTEMPTS:
                raise
        else:
            return


async def killed(server: Server, seconds: float) -> None:
    """SIGKILL; started again afterwards."""
    await beside_load(server.kill)
    try:
        await asyncio.sleep(seconds)
    finally:
        await beside_load(server.start)


async def frozen(server: Server, seconds: float) -> None:
    """SIGSTOP, then SIGCONT."""
    await beside_load(server.freeze)
    try:
        await asyncio.sleep(seconds)
    finally:
        await beside_load(server.thaw)


async def _flapping(server: Server, seconds: float) -> None:
    for _ in range(int(seconds / (2 * FLAP_SECONDS))):
        await frozen(server, FLAP_SECONDS)
        await asyncio.sleep(FLAP_SECONDS)


async def lagging(server: Server, seconds: float) -> None:
    """A standby that replays nothing, and answers."""
    standby = await asyncpg.connect(server.urls[0], timeout=5)
    try:
        await standby.execute("SELECT pg_wal_replay_pause()")
        await asyncio.sleep(seconds)
    finally:
        await standby.execute("SELECT pg_wal_replay_resume()")
        await standby.close()


_FAULTS: dict[Fault, Callable[[Server, float], Awaitable[None]]] = {
    Fault.KILLED: killed,
    Fault.FROZEN: frozen,
    Fault.FLAPPING: _flapping,
    Fault.LAGGING: lagging,
}
