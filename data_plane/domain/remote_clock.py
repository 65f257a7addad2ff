"""Another machine's clock, read over the network, with a bound on the error."""

import math
from dataclasses import dataclass

DRIFT = 200e-6
"""How much two clocks may part, in seconds per second."""
_FASTER, _SLOWER = 1 + DRIFT, 1 - DRIFT


@dataclass(frozen=True, slots=True)
class _Sample:
    sent: float
    received: float
    remote: float

    def earliest(self, at: float) -> float:
        elapsed = at - self.received
        return self.remote + elapsed * (_SLOWER if elapsed > 0 else _FASTER)

    def latest(self, at: float) -> float:
        elapsed = at - self.sent
        return self.remote + elapsed * (_FASTER if elapsed > 0 else _SLOWER)

    def error(self, at: float) -> float:
        return (self.latest(at) - self.earliest(at)) / 2


class RemoteClock:
    """Tells what a remote clock shows now, from round trips to it: the remote time was read between the two local ones.

    Local times are monotonic seconds, remote ones seconds since any epoch. None until the first round trip.
    """

    def __init__(self) -> None:
        self._sample: _Sample | None = None
        self.set_at = -math.inf
        """When the remote clock was last found to have been set, in local time."""
        self.changes = 0
        """Grows whenever it is reckoned by another round trip."""

    def observe(self, *, sent: float, received: float, remote: float) -> None:
        """Note a round trip. The one with the smaller error now is kept, or the new one where the clock was set."""
        new, old = _Sample(sent, received, remote), self._sample
        if old is not None and not _agree(old, new, received):
            self.set_at = received
        elif old is not None and new.error(received) > old.error(received):
            return
        self._sample = new
        self.changes += 1

    def earliest(self, at: float) -> float | None:
        """The least that the remote clock can show at the local time `at`."""
        return None if self._sample is None else self._sample.earliest(at)

    def latest(self, at: float) -> float | None:
        """The most that the remote clock can show at the local time `at`."""
        sample = self._sample
        if sample is None:
            return None
        # As `_Sample.latest`, once more: this runs for every answer.
        elapsed = at - sample.sent
        return sample.remote + elapsed * (_FASTER if elapsed > 0 else _SLOWER)

    def local_time_of(self, remote: float, *, at: float) -> float | None:
        """The earliest local time at which the remote clock can have shown `remote`, reckoned at local `at`."""
        latest = self.latest(at)
        return None if latest is None else at - (latest - remote)


def _agree(old: _Sample, new: _Sample, at: float) -> bool:
    return old.earliest(at) <= new.latest(at) and new.earliest(at) <= old.latest(at)
