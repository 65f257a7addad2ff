"""A clock of another machine, read over the network, with a bound on the error."""

import math
from dataclasses import dataclass
from typing import Generic, NewType, TypeAlias, TypeVar, cast

from shared.runtime.clock import LocalTime

PrimaryTime = NewType("PrimaryTime", float)
"""POSIX seconds of the PostgreSQL primary's clock, by which changes are dated."""
UNPROVEN = PrimaryTime(-math.inf)
"""No time of the primary is known up to which a value was right."""

DRIFT = 200e-6
"""Upper bound on how far two clocks diverge, in seconds per second."""
_FASTER, _SLOWER = 1 + DRIFT, 1 - DRIFT

_Local = TypeVar("_Local", bound=float)
_Remote = TypeVar("_Remote", bound=float)


@dataclass(frozen=True, slots=True)
class RoundTrip(Generic[_Local, _Remote]):
    """The remote clock showed `remote` at some moment from `sent` to `received` on the local clock."""

    sent: _Local
    received: _Local
    remote: _Remote

    def earliest(self, at: _Local) -> _Remote:
        """Lower bound on what the remote clock shows at local `at`."""
        elapsed = at - self.received
        return cast("_Remote", self.remote + elapsed * (_SLOWER if elapsed > 0 else _FASTER))

    def latest(self, at: _Local) -> _Remote:
        """Upper bound on what the remote clock shows at local `at`."""
        elapsed = at - self.sent
        return cast("_Remote", self.remote + elapsed * (_FASTER if elapsed > 0 else _SLOWER))

    def error(self, at: _Local) -> float:
        """Half the distance between both bounds, in seconds."""
        return (self.latest(at) - self.earliest(at)) / 2


class RemoteClock(Generic[_Local, _Remote]):
    """Estimates a remote clock from round trips to it: the remote time was read between the two local ones.

    Every estimate is None until the first round trip.
    """

    def __init__(self) -> None:
        self._trip: RoundTrip[_Local, _Remote] | None = None
        self.set_at = cast("_Local", -math.inf)
        """Local time at which a round trip last showed that the remote clock had been set."""
        self.ambiguous_until = cast("_Remote", -math.inf)
        """Remote times before this one may be from before the clock was set back, and then date something else."""
        self.changes = 0
        """Grows whenever the estimate changes to another round trip."""

    def observe(self, *, sent: _Local, received: _Local, remote: _Remote) -> None:
        """Record a round trip. The one with the smaller error now is kept; if the clock was set, the new one is."""
        new, old = RoundTrip(sent, received, remote), self._trip
        if old is not None and not _agree(old, new, received):
            self._note_set(old, received)
        elif old is not None and new.error(received) > old.error(received):
            return
        self._trip = new
        self.changes += 1

    def recall(self, trip: RoundTrip[_Local, _Remote], *, at: _Local) -> bool:
        """Use a round trip of an earlier process, at local `at`. Returns whether it contradicts this process's own.

        If it does, the remote clock was set in between and this process's own round trip is kept.
        """
        known = self._trip
        is_contradicted = known is not None and not _agree(trip, known, at)
        if is_contradicted:
            self._note_set(trip, at)
        elif known is None or trip.error(at) < known.error(at):
            self._trip = trip
        else:
            return False
        self.changes += 1
        return is_contradicted

    @property
    def round_trip(self) -> RoundTrip[_Local, _Remote] | None:
        """The round trip that all estimates derive from."""
        return self._trip

    def earliest(self, at: _Local) -> _Remote | None:
        """Lower bound on what the remote clock shows at local `at`."""
        return None if self._trip is None else self._trip.earliest(at)

    def latest(self, at: _Local) -> _Remote | None:
        """Upper bound on what the remote clock shows at local `at`."""
        trip = self._trip
        if trip is None:
            return None
        # `RoundTrip.latest` without its two calls: this runs for every load.
        elapsed = at - trip.sent
        return trip.remote + elapsed * (_FASTER if elapsed > 0 else _SLOWER)  # type: ignore[return-value]

    def age(self, moment: _Remote, at: _Local) -> float | None:
        """Upper bound on the seconds from the remote `moment` to local `at`; negative if `moment` is still to come."""
        trip = self._trip
        if trip is None:
            return None
        # `RoundTrip.latest` without its two calls: this runs for every answer.
        elapsed = at - trip.sent
        return trip.remote + elapsed * (_FASTER if elapsed > 0 else _SLOWER) - moment

    def local_time_of(self, remote: _Remote, *, at: _Local) -> _Local | None:
        """The earliest local time at which the remote clock can have shown `remote`, estimated at local `at`."""
        age = self.age(remote, at)
        return None if age is None else cast("_Local", at - age)

    def _note_set(self, before: RoundTrip[_Local, _Remote], at: _Local) -> None:
        """The clock was set after this round trip, and no later than local `at`."""
        self.set_at = at
        # Set ahead, it has passed this time already.
        self.ambiguous_until = max(self.ambiguous_until, before.latest(at))


PrimaryClock: TypeAlias = RemoteClock[LocalTime, PrimaryTime]


def _agree(old: RoundTrip[_Local, _Remote], new: RoundTrip[_Local, _Remote], at: _Local) -> bool:
    return old.earliest(at) <= new.latest(at) and new.earliest(at) <= old.latest(at)
