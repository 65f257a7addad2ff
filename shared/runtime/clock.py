"""Time as the services see it: a monotonic clock for ages and deadlines, a wall clock for display only."""

import time
from datetime import UTC, datetime
from typing import Protocol


class Clock(Protocol):
    """What tells the time; tests hand in one they can move."""

    def monotonic(self) -> float:
        """Seconds that never go back, from an arbitrary start."""

    def now(self) -> datetime:
        """UTC wall time of this host. Never used to decide which of two values is newer."""


class SystemClock:
    """This host's clocks."""

    # The function itself: the resolver's hot path asks it twice for each request.
    monotonic = staticmethod(time.monotonic)

    def now(self) -> datetime:
        return datetime.now(UTC)
