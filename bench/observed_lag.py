"""The event loop's lag while something runs on it."""

import asyncio
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass

TICK_SECONDS = 0.001


@dataclass(slots=True)
class Worst:
    """The longest time between two iterations of the loop, in seconds, beyond the planned one."""

    lag: float = 0.0


@contextmanager
def observed() -> Iterator[Worst]:
    """The worst lag while the block runs."""
    worst = Worst()

    async def observe() -> None:
        while True:
            due = time.perf_counter() + TICK_SECONDS
            await asyncio.sleep(TICK_SECONDS)
            worst.lag = max(worst.lag, time.perf_counter() - due)

    observing = asyncio.create_task(observe())
    try:
        yield worst
    finally:
        with suppress(asyncio.CancelledError):
            observing.cancel()
