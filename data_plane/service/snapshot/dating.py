"""Converts this process's local times to the boot times of a snapshot, and back in the next process.

docs/adr/0021 has the proof.
"""

from dataclasses import dataclass

from data_plane.domain.entry import Entry, TtlPolicy
from data_plane.domain.remote_clock import UNPROVEN, PrimaryClock, PrimaryTime, RemoteClock, RoundTrip
from data_plane.domain.snapshot import HostTime, KeptRoute
from shared.runtime.clock import BootClock, BootTime, LocalTime

SUSPENDED_SECONDS = 0.01
"""If the host's two clocks diverge by more, the host was suspended: nothing else moves only one of them."""


@dataclass(frozen=True, slots=True)
class SnapshotClocks:
    """Converts the times of one snapshot.

    `is_confirmed`: this process has read the primary's time, and the snapshot does not contradict it. `keeps_proofs`: this
    process has the writer's estimate of the primary's clock, so the writer's `proven_at` values hold here too.
    """

    is_same_boot: bool
    is_confirmed: bool
    keeps_proofs: bool
    _boot_ahead_seconds: float
    _primary_by_boot: RemoteClock[BootTime, PrimaryTime]
    _primary_clock: PrimaryClock

    def local_time_of(self, moment: BootTime, *, at: LocalTime) -> LocalTime | None:
        """The earliest local time that the boot time can be, estimated at local `at`; None: unknown."""
        if self.is_same_boot:
            return LocalTime(moment - self._boot_ahead_seconds)
        by_primary = self._primary_by_boot.earliest(moment)
        return None if by_primary is None else self._primary_clock.local_time_of(by_primary, at=at)


class Restoring:
    """Makes entries of a snapshot's routes. Without `keeps_ttl` they are expired, whatever their times are."""

    def __init__(
        self,
        clocks: SnapshotClocks,
        ttl_policy: TtlPolicy,
        *,
        keeps_ttl: bool,
        now: LocalTime,
        wall_age_seconds: float,
    ) -> None:
        """`wall_age_seconds`: the snapshot's age by the wall clock, used only for the age that callers see."""
        self._clocks = clocks
        self._ttl_policy = ttl_policy
        self._keeps_ttl = keeps_ttl
        self._now = now
        self._wall_age_seconds = wall_age_seconds

    def entry(self, route: KeptRoute) -> Entry:
        """The entry with its remaining TTL."""
        now, ttl = self._now, self._ttl_policy.ttl(route.state)
        read_at = self._clocks.local_time_of(route.read_at, at=now)
        ends_at = self._clocks.local_time_of(route.expires_at, at=now)
        if read_at is None or ends_at is None:
            # Expired now, so that it can be served stale-if-error for the full time.
            read_at = LocalTime(now - max(ttl, self._wall_age_seconds))
            return _entry(route, read_at, expires_at=now, proven_at=UNPROVEN)
        read_at = min(read_at, now)
        # The writer may have been configured with a longer TTL.
        expires_at = min(ends_at, max(now, LocalTime(read_at + ttl))) if self._keeps_ttl else min(ends_at, now)
        # While no process read the primary's clock, it may have been set: an expired entry then proves nothing.
        is_proven = self._clocks.keeps_proofs or now < expires_at
        return _entry(route, read_at, expires_at, route.proven_at if is_proven else UNPROVEN)


class SnapshotDates:
    """Dates snapshots by the host's boot clock, which the next process on the host reads as well.

    On another host, the dates are converted by way of the primary's clock, to which the head has a round trip.
    """

    def __init__(self, clock: BootClock, primary_clock: PrimaryClock) -> None:
        self._clock = clock
        self._primary_clock = primary_clock
        self._ahead_at_start = self._boot_ahead()

    def now(self) -> HostTime:
        """The boot clock, with the estimate of the primary's clock by it.

        Unknown if the host was suspended since this process started: a local time may be from before or after that.
        """
        [least, most_at_start], [least_now, most] = self._ahead_at_start, self._boot_ahead()
        if least_now - most_at_start > SUSPENDED_SECONDS:
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
        """The boot time of a local time; not later than the true one, since the boot clock only gains on the local one."""
        return BootTime(moment + self._ahead_at_start[0])

    def clocks_of(self, host: HostTime) -> SnapshotClocks:
        """The clocks to convert the snapshot's times. On the same boot, the estimate of the primary's clock is restored."""
        is_confirmed, is_same_boot = self._primary_clock.round_trip is not None, self._is_same_boot(host)
        least, most = self._boot_ahead()
        primary_by_boot: RemoteClock[BootTime, PrimaryTime] = RemoteClock()
        trip = host.primary
        if trip is not None:
            primary_by_boot.recall(trip, at=host.up_for)
        if trip is not None and is_same_boot:
            local_trip = RoundTrip(LocalTime(trip.sent - most), LocalTime(trip.received - least), trip.remote)
            # If one of the two readings was wrong, it is unknown which: dates by either may be too late.
            is_confirmed &= not self._primary_clock.recall(local_trip, at=self._clock.monotonic())
        keeps_proofs = is_same_boot and trip is not None
        return SnapshotClocks(is_same_boot, is_confirmed, keeps_proofs, most, primary_by_boot, self._primary_clock)

    def _is_same_boot(self, host: HostTime) -> bool:
        # A virtual machine that was reset to an earlier state has the same boot id, and its clock has gone back.
        return bool(host.boot) and host.boot == self._clock.boot() and host.up_for <= self._clock.since_boot()

    def _boot_ahead(self) -> tuple[float, float]:
        """Seconds by which the boot clock is ahead of the local one: at least, at most."""
        before, local, after = self._clock.since_boot(), self._clock.monotonic(), self._clock.since_boot()
        return before - local, after - local


def _entry(route: KeptRoute, read_at: LocalTime, expires_at: LocalTime, proven_at: PrimaryTime) -> Entry:
    tenant_revision = max(route.revision, route.tenant_revision)
    return Entry(route.key, route.state, route.value, route.revision, read_at, expires_at, proven_at, tenant_revision)
