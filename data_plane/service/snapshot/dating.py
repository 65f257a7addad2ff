"""From the times of this process to those of a snapshot, and back in the next one. The argument is in docs/adr/0021."""

from dataclasses import dataclass

from data_plane.domain.entry import Entry, TtlPolicy
from data_plane.domain.remote_clock import UNPROVEN, PrimaryClock, PrimaryTime, RemoteClock, RoundTrip
from data_plane.domain.snapshot import HostTime, KeptRoute
from shared.runtime.clock import BootClock, BootTime, LocalTime

SLEPT_SECONDS = 0.01
"""Where the host's two clocks have parted by more, it was asleep: nothing else moves one of them and not the other."""


@dataclass(frozen=True, slots=True)
class KnownDates:
    """What the dates of one snapshot are in this process.

    `is_confirmed`: the primary itself has told this process its time, and the writer's says nothing else. `keeps_proofs`: what the writer knew of the primary's
    clock is known here, so that what it had proven is worth here what it was there.
    """

    is_same_boot: bool
    is_confirmed: bool
    keeps_proofs: bool
    _ahead: float
    _theirs: RemoteClock[BootTime, PrimaryTime]
    _ours: PrimaryClock

    def local_time_of(self, date: BootTime, *, at: LocalTime) -> LocalTime | None:
        """The earliest local time that the date can mean, reckoned at local `at`; None: nobody knows."""
        if self.is_same_boot:
            return LocalTime(date - self._ahead)
        by_primary = self._theirs.earliest(date)
        return None if by_primary is None else self._ours.local_time_of(by_primary, at=at)


class Restoring:
    """Makes entries of a snapshot's routes, `now`. Without `has_life` they are past their lives whatever their dates."""

    def __init__(self, dates: KnownDates, lives: TtlPolicy, *, has_life: bool, now: LocalTime, wall_age: float) -> None:
        self._dates = dates
        self._lives = lives
        self._has_life = has_life
        self._now = now
        self._wall_age = wall_age

    def entry(self, route: KeptRoute) -> Entry:
        """The entry, with the life it has left."""
        now, life = self._now, self._lives.of(route.state)
        read_at = self._dates.local_time_of(route.read_at, at=now)
        ends_at = self._dates.local_time_of(route.expires_at, at=now)
        if read_at is None or ends_at is None:
            # The wall clock only tells callers an age. Kept as long as any from now on.
            return _entry(route, LocalTime(now - max(life, self._wall_age)), expires_at=now, proven_at=UNPROVEN)
        read_at = min(read_at, now)
        # The one that wrote it may have been told to let entries live longer.
        expires_at = min(ends_at, max(now, LocalTime(read_at + life))) if self._has_life else min(ends_at, now)
        # Past its life nothing is claimed of it where the primary's clock may have been set with nobody looking.
        is_proven = self._dates.keeps_proofs or now < expires_at
        return _entry(route, read_at, expires_at, route.proven_at if is_proven else UNPROVEN)


class SnapshotDates:
    """Snapshots are dated by the host's time since its boot: who is started next on that host reads the same clock.

    Elsewhere the dates are told by the primary's clock, which the head says how to get to.
    """

    def __init__(self, clock: BootClock, primary_clock: PrimaryClock) -> None:
        self._clock = clock
        self._primary_clock = primary_clock
        self._was_ahead = self._ahead()

    def now(self) -> HostTime:
        """The clock as it stands, and what is known of the primary's by it. Where the host was asleep under this process
        nobody can tell either: a local time may be from before that or from after it.
        """
        [least, was_at_most], [is_at_least, most] = self._was_ahead, self._ahead()
        if is_at_least - was_at_most > SLEPT_SECONDS:
            return HostTime("", self._clock.since_boot(), None)
        trip = self._primary_clock.round_trip
        return HostTime(
            self._clock.boot(),
            self._clock.since_boot(),
            None
            if trip is None
            else RoundTrip(BootTime(trip.sent + least), BootTime(trip.received + most), trip.remote),
        )

    def date(self, moment: LocalTime) -> BootTime:
        """The date of a local time: not later than it was, since the host's time only ever gets further ahead."""
        return BootTime(moment + self._was_ahead[0])

    def known(self, host: HostTime) -> KnownDates:
        """What the dates by that host's time are here. On the same boot, the primary's clock is known again, too."""
        is_confirmed, is_ours = self._primary_clock.round_trip is not None, self._is_ours(host)
        least, most = self._ahead()
        theirs: RemoteClock[BootTime, PrimaryTime] = RemoteClock()
        trip = host.primary
        if trip is not None:
            theirs.recall(trip, at=host.up_for)
        if trip is not None and is_ours:
            ours = RoundTrip(LocalTime(trip.sent - most), LocalTime(trip.received - least), trip.remote)
            # One of the clocks was wrong, and nobody knows which: dates by either may be later than they were.
            is_confirmed &= not self._primary_clock.recall(ours, at=self._clock.monotonic())
        keeps_proofs = is_ours and trip is not None
        return KnownDates(is_ours, is_confirmed, keeps_proofs, most, theirs, self._primary_clock)

    def _is_ours(self, host: HostTime) -> bool:
        # A virtual machine that was put back to an earlier state is on the same boot, and its clock is another one.
        return bool(host.boot) and host.boot == self._clock.boot() and host.up_for <= self._clock.since_boot()

    def _ahead(self) -> tuple[float, float]:
        """How far the time since the boot is ahead of the local one: at least, at most."""
        before, local, after = self._clock.since_boot(), self._clock.monotonic(), self._clock.since_boot()
        return before - local, after - local


def _entry(route: KeptRoute, read_at: LocalTime, expires_at: LocalTime, proven_at: PrimaryTime) -> Entry:
    tenant_revision = max(route.revision, route.tenant_revision)
    return Entry(route.key, route.state, route.url, route.revision, read_at, expires_at, proven_at, tenant_revision)
