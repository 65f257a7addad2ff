"""Token buckets by name: each limits a long-run rate and the size of a burst."""

import math
from dataclasses import dataclass

from cachetools import FIFOCache


@dataclass(frozen=True, slots=True)
class Rate:
    """`per_second` tokens in the long run, and `burst` tokens at once from a full bucket."""

    per_second: float
    burst: int

    @property
    def window_seconds(self) -> int:
        """The time in which an empty bucket fills."""
        return math.ceil(self.burst / self.per_second)


@dataclass(frozen=True, slots=True)
class Level:
    """A bucket's level: whole tokens (negative: a debt), seconds until the bucket is full, and seconds until it has one token (0: now)."""

    remaining: int
    full_after_seconds: float
    next_after_seconds: float


class TokenBuckets:
    """One bucket for each name; the `max_buckets` used last are kept, and a name without a bucket has a full one.

    A bucket is one number, the time at which it is full again, so that no task has to refill it. Source: the virtual
    scheduling form of the generic cell rate algorithm, ITU-T I.371, annex A. Times are seconds of any monotonic clock.
    """

    def __init__(self, rate: Rate, *, max_buckets: int = 10_000) -> None:
        self.rate = rate
        self._interval_seconds = 1 / rate.per_second
        # A FIFO cache drops the key that was set least recently, which is the bucket used least recently.
        self._full_at: FIFOCache[str, float] = FIFOCache(max_buckets)

    def __len__(self) -> int:
        return len(self._full_at)

    def level(self, name: str, now: float) -> Level:
        """The bucket's level at this time."""
        full_after = max(0.0, self._full_at.get(name, now) - now)
        tokens = self.rate.burst - full_after / self._interval_seconds
        # A token that is whole but for rounding counts, so that a caller that waits `next_after_seconds` is admitted.
        remaining = math.floor(tokens + 1e-6)
        return Level(remaining, full_after, 0.0 if remaining >= 1 else (1 - tokens) * self._interval_seconds)

    def take(self, name: str, now: float, tokens: int = 1) -> None:
        """Take tokens. The caller has checked with `level` that there is one; more than there are become a debt."""
        self._full_at[name] = max(now, self._full_at.get(name, now)) + tokens * self._interval_seconds
