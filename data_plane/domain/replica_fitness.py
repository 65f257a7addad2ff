"""Whether a replica is usable, from its measured lag."""

import math

EJECT_SECONDS = 10.0
"""A replica with more lag is not usable: it is the TTL of a negative entry, which would be expired when it is read."""
RETURN_SECONDS = 5.0
"""It is usable again with less lag than this. The hysteresis keeps a replica near the limit from alternating."""
FAILURES = 3
"""Consecutive failed measurements that make a replica unusable."""
SUCCESSES = 3
"""Consecutive good measurements that make it usable again; a server that has just started may be slow at first."""


class ReplicaFitness:
    """Usable until measurements show otherwise: trying a dead replica costs little, and a start need not wait."""

    def __init__(self) -> None:
        self.is_usable = True
        self.lag = math.inf
        self._failures = 0
        self._successes = 0

    def observe(self, lag: float | None) -> bool:
        """Record the lag in seconds; None: the measurement failed. Returns whether `is_usable` changed."""
        before = self.is_usable
        self._failures = self._failures + 1 if lag is None else 0
        if lag is not None:
            self.lag = lag
        self._successes = self._successes + 1 if lag is not None and lag < RETURN_SECONDS else 0
        if self._failures >= FAILURES or (lag is not None and lag > EJECT_SECONDS):
            self.is_usable = False
        elif self._successes >= SUCCESSES:
            self.is_usable = True
        return self.is_usable is not before
