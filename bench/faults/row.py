"""What a row of the suite is."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from bench.faults.trial import Trial


@dataclass(frozen=True, slots=True)
class Row:
    """One fault. `seconds`: how long it lasts in full; `short_seconds`: the least time in which its promises can be seen."""

    number: int
    fault: str
    promise: str
    seconds: float
    short_seconds: float
    run: Callable[[Trial], Awaitable[None]]

    def lasts(self, scale: float) -> float:
        """The seconds of its fault at this scale of the full duration."""
        return max(self.short_seconds, scale * self.seconds)
