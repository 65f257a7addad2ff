"""The times at which the loading process itself did not run, so that its own delays do not count as the product's."""

import asyncio
import contextlib
import time
from bisect import bisect_left
from collections.abc import AsyncIterator, Iterable

TICK_SECONDS = 0.002
STALL_SECONDS = 0.003
"""A tick that is late by more than this is a stall."""


class Stalls:
    """Stalls of this process's event loop, on its monotonic clock, oldest first."""

    def __init__(self) -> None:
        self._ends: list[float] = []
        self._starts: list[float] = []

    @property
    def longest(self) -> float:
        """Seconds of the longest stall."""
        return max((end - start for start, end in zip(self._starts, self._ends, strict=True)), default=0.0)

    def add(self, start: float, end: float) -> None:
        """Record a stall; each begins after the one before has ended."""
        self._starts.append(start)
        self._ends.append(end)

    def overlap(self, since: float, until: float) -> float:
        """Seconds between the two times for which this process did not run."""
        total = 0.0
        for place in range(bisect_left(self._ends, since), len(self._ends)):
            if self._starts[place] >= until:
                break
            total += min(self._ends[place], until) - max(self._starts[place], since)
        return total

    def without(self, spans: Iterable[tuple[float, float]]) -> list[float]:
        """The length of each span, less the stalls within it, in seconds."""
        return [until - since - self.overlap(since, until) for since, until in spans]

    @contextlib.asynccontextmanager
    async def observed(self) -> AsyncIterator[None]:
        """Record stalls while the block runs."""
        observing = asyncio.create_task(self._observe())
        try:
            yield
        finally:
            observing.cancel()
            await asyncio.wait([observing])

    async def _observe(self) -> None:
        while True:
            due = time.monotonic() + TICK_SECONDS
            await asyncio.sleep(TICK_SECONDS)
            now = time.monotonic()
            if now - due > STALL_SECONDS:
                self.add(due, now)
