"""Waiting until a server can be used, never longer than agreed."""

import asyncio
import time
from collections.abc import Awaitable, Callable
from typing import Protocol

from deploy.local import ports
from deploy.local.errors import LocalServerError, NotReady

_POLL_SECONDS = 0.03
_ATTEMPT_SECONDS = 10.0


class Usable(Protocol):
    """What can be said of a server before knowing who runs it."""

    ready_seconds: float = 30.0

    @property
    def name(self) -> str: ...

    @property
    def url(self) -> str: ...

    async def settle(self) -> bool:
        """One attempt at what is left to do once it listens; True when it is usable.

        Repeated until then. What it raises counts as "not yet", and is told when time is up; only a
        `LocalServerError` ends the wait at once.
        """
        ...


async def until_usable(
    server: Usable, port: int, is_running: Callable[[], Awaitable[bool]], explain: Callable[[str], str]
) -> None:
    """Settle `server`, which listens on `port`.

    Raises:
        NotReady: it ended, or was not usable after its `ready_seconds`.
    """
    deadline = time.monotonic() + server.ready_seconds
    reason = "it does not listen"
    while time.monotonic() < deadline:
        if not await is_running():
            raise NotReady(explain("ended while starting"))
        if await ports.accepts(port):
            try:
                async with asyncio.timeout(_ATTEMPT_SECONDS):
                    if await server.settle():
                        return
                reason = "it listens but is not usable yet"
            except LocalServerError:
                raise
            except Exception as error:  # noqa: BLE001 - drivers refuse in many ways while a server comes up
                reason = f"{type(error).__name__}: {error}"
        await asyncio.sleep(_POLL_SECONDS)
    raise NotReady(explain(f"was not usable after {server.ready_seconds:.0f} s ({reason})"))
