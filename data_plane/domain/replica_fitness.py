"""Whether a replica is asked, from what it shows of itself once a second."""

import math

EJECT_SECONDS = 10.0
"""A replica that is further behind is not asked any more. A negative answer lives that long: it would be born expired."""
RETURN_SECONDS = 5.0
"""It is asked again when it is less behind than this. The gap keeps one at the limit from coming and going."""
FAILURES = 3
"""So many times in a row without an answer, and it is not asked either."""
SUCCESSES = 3
"""So many good answers in a row bring it back: one may be luck, and a server that has just started is slow."""


class ReplicaFitness:
    """Fit until it shows otherwise: who does not answer costs little, and a start should not wait for proof."""

    def __init__(self) -> None:
        self.is_usable = True
        self.lag = math.inf
        self._failures = 0
        self._successes = 0

    def observe(self, lag: float | None) -> bool:
        """Note how many seconds behind it is; None: it did not answer. Returns whether that changed its fitness."""
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
