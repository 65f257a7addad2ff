"""Waits until a server is usable, for a limited time."""

import asyncio
import time
from collections.abc import Awaitable, Callable
from typing import Protocol

from deploy.local import ports
from deploy.local.errors import LocalServerError, NotReady

_POLL_SECONDS = 0.03
_ATTEMPT_SECONDS = 10.0


class Usable(Protocol):
    """A server, as the wait for its readiness needs it."""

    ready_seconds: float = 30.0

    @property
    def name(self) -> str: ...

    @property
    def url(self) -> str: ...

    async def become_usable(self) -> bool:
        """Finish the start of a server that listens. Returns True when the server is usable.

        It is called repeatedly. An error means "not yet" and is part of the message after a timeout; only a
        `LocalServerError` ends the wait at once.
        """
        ...


async def until_usable(
    server: Usable, port: int, is_running: Callable[[], Awaitable[bool]], failure_message: Callable[[str], str]
) -> None:
    """Wait until `server`, which listens on `port`, is usable.

    Raises:
        NotReady: the server ended, or was not usable after its `ready_seconds`.
    """
    deadline = time.monotonic() + server.ready_seconds
    reason = "it does not listen"
    while time.monotonic() < deadline:
        if not await is_running():
            raise NotReady(failure_message("ended during its start"))
        if await ports.accepts(port):
            try:
                async with asyncio.timeout(_ATTEMPT_SECONDS):
                    if await server.become_usable():
                        return
                reason = "it listens but is not usable yet"
            except LocalServerError:
                raise
            except Exception as error:  # noqa: BLE001 - drivers fail in many ways while a server starts
                reason = f"{type(error).__name__}: {error}"
        await asyncio.sleep(_POLL_SECONDS)
    raise NotReady(failure_message(f"was not usable after {server.ready_seconds:.0f} s ({reason})"))
