"""Another machine's clock, read over the network, with a bound on the error."""

import math
from dataclasses import dataclass

DRIFT = 200e-6
"""How much two clocks may part, in seconds per second."""
_FASTER, _SLOWER = 1 + DRIFT, 1 - DRIFT


@dataclass(frozen=True, slots=True)
class RoundTrip:
    """The remote clock showed `remote` at some moment from `sent` to `received`."""

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
        self._trip: RoundTrip | None = None
        self.set_at = -math.inf
        """When the remote clock was last found to have been set, in local time."""
        self.changes = 0
        """Grows whenever it is reckoned by another round trip."""

    def observe(self, *, sent: float, received: float, remote: float) -> None:
        """Note a round trip. The one with the smaller error now is kept, or the new one where the clock was set."""
        new, old = RoundTrip(sent, received, remote), self._trip
        if old is not None and not _agree(old, new, received):
            self.set_at = received
        elif old is not None and new.error(received) > old.error(received):
            return
        self._trip = new
        self.changes += 1

    def recall(self, trip: RoundTrip, *, at: float) -> bool:
        """Know again, `at` this moment, a round trip from before this process. Where one of its own says otherwise, the
        remote clock was set since, and its own stands. Returns whether that is so.
        """
        known = self._trip
        is_contradicted = known is not None and not _agree(trip, known, at)
        if is_contradicted:
            self.set_at = at
        elif known is None or trip.error(at) < known.error(at):
            self._trip = trip
        else:
            return False
        self.changes += 1
        return is_contradicted

    @property
    def reckoned_by(self) -> RoundTrip | None:
        """The round trip that everything is told from."""
        return self._trip

    def earliest(self, at: float) -> float | None:
        """The least that the remote clock can show at the local time `at`."""
        return None if self._trip is None else self._trip.earliest(at)

    def latest(self, at: float) -> float | None:
        """The most that the remote clock can show at the local time `at`."""
        trip = self._trip
        if trip is None:
            return None
        # As `RoundTrip.latest`, once more: this runs for every answer.
        elapsed = at - trip.sent
        return trip.remote + elapsed * (_FASTER if elapsed > 0 else _SLOWER)

    def local_time_of(self, remote: float, *, at: float) -> float | None:
        """The earliest local time at which the remote clock can have shown `remote`, reckoned at local `at`."""
        latest = self.latest(at)
        return None if latest is None else at - (latest - remote)


def _agree(old: RoundTrip, new: RoundTrip, at: float) -> bool:
    return old.earliest(at) <= new.latest(at) and new.earliest(at) <= old.latest(at)
