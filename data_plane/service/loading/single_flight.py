"""One load for all who wait for the same thing."""

import asyncio
import contextlib
from collections.abc import Awaitable, Callable, Coroutine
from typing import Any, Generic, TypeVar

_K = TypeVar("_K")
_V = TypeVar("_V")


class SingleFlight(Generic[_K, _V]):
    """Runs at most one load per key at a time. Who stops waiting does not stop the load for the others."""

    def __init__(self) -> None:
        self._flights: dict[_K, asyncio.Task[_V]] = {}

    async def run(self, key: _K, load: Callable[[_K], Coroutine[Any, Any, _V]]) -> _V:
        """What `load` returns or raises: of the load under way, else of a new one."""
        flight = self._flights.get(key)
        if flight is None:
            flight = self._flights[key] = asyncio.create_task(load(key))
            flight.add_done_callback(lambda done: self._landed(key, done))
        return await asyncio.shield(flight)

    def _landed(self, key: _K, flight: Awaitable[_V]) -> None:
        del self._flights[key]
        if isinstance(flight, asyncio.Task) and not flight.cancelled():
            # Looked at here, because all who waited for it may have left.
            flight.exception()

    async def close(self) -> None:
        """Cancel the loads under way and wait until they have ended."""
        for flight in list(self._flights.values()):
            flight.cancel()
            with contextlib.suppress(asyncio.CancelledError, Exception):
                await flight
