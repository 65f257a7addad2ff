"""Token buckets by name: how often something may happen in the long run, and how often at once."""

import math
from collections import OrderedDict
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Rate:
    """So many each second in the long run, and `burst` at once after a quiet time."""

    per_second: float
    burst: int

    @property
    def window_seconds(self) -> int:
        """How long an empty bucket takes to fill."""
        return math.ceil(self.burst / self.per_second)


@dataclass(frozen=True, slots=True)
class Level:
    """A bucket as it stands: whole tokens left, seconds until it is full, and until it has one token (0: now)."""

    remaining: int
    full_after: float
    next_after: float


class TokenBuckets:
    """One bucket for each name, of which the `most` used last are kept; one that is not there is full.

    A bucket is one number, the moment at which it is full again, so that nothing has to refill it. Source: the virtual
    scheduling form of the generic cell rate algorithm, ITU-T I.371, annex A. Times are any monotonic clock's seconds.
    """

    def __init__(self, rate: Rate, *, most: int = 10_000) -> None:
        self.rate = rate
        self._interval = 1 / rate.per_second
        self._most = most
        self._full_at: OrderedDict[str, float] = OrderedDict()

    def __len__(self) -> int:
        return len(self._full_at)

    def level(self, name: str, now: float) -> Level:
        """What the bucket holds at this moment."""
        full_after = max(0.0, self._full_at.get(name, now) - now)
        tokens = self.rate.burst - full_after / self._interval
        # What is a whole token but for rounding counts as one; otherwise a caller who waits as told comes too early.
        remaining = math.floor(tokens + 1e-6)
        return Level(remaining, full_after, 0.0 if remaining >= 1 else (1 - tokens) * self._interval)

    def take(self, name: str, now: float) -> None:
        """Take one token, which `level` said was there."""
        self._full_at[name] = max(now, self._full_at.get(name, now)) + self._interval
        self._full_at.move_to_end(name)
        if len(self._full_at) > self._most:
            self._full_at.popitem(last=False)
