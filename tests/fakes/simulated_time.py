"""The true time, a primary whose clock drifts and is set, and clocks of hosts that drift."""

from datetime import UTC, datetime, timedelta

from data_plane.domain.remote_clock import PrimaryTime
from shared.runtime.clock import BootTime, LocalTime

EPOCH = 1_700_000_000.0


class TrueTime:
    """Seconds since the simulation began; only `pass_by` moves it. The primary's clock runs faster by `primary_drift`."""

    def __init__(self, primary_drift: float = 70e-6) -> None:
        self.now = 0.0
        self._primary_rate = 1 + primary_drift
        self._primary_set: list[tuple[float, float]] = []

    def pass_by(self, seconds: float) -> None:
        self.now += seconds

    def set_primary(self, by_seconds: float) -> None:
        """Sets the primary's clock ahead, or back if negative, from now on."""
        self._primary_set.append((self.now, by_seconds))

    def primary(self, moment: float | None = None) -> PrimaryTime:
        """The time of the primary's clock at a true moment, in POSIX seconds."""
        true = self.now if moment is None else moment
        ahead = sum(by_seconds for since, by_seconds in self._primary_set if since <= true)
        return PrimaryTime(EPOCH + true * self._primary_rate + ahead)


class HostClock:
    """The clocks of one host: a monotonic one that drifts and stops while the host is suspended, one since its boot that
    does neither, and a wall clock that is minutes off.
    """

    def __init__(self, time: TrueTime, *, start: float, drift: float, skew: float) -> None:
        self._time = time
        self._start = start
        self._rate = 1 + drift
        self._skew = skew
        self._slept: list[tuple[float, float]] = []

    def was_asleep_since(self, moment: float) -> None:
        """Suspend the host, and so its monotonic clock, from that true moment until now."""
        self._slept.append((moment, self._time.now))

    def monotonic(self) -> LocalTime:
        return self.at(self._time.now)

    def at(self, moment: float) -> LocalTime:
        """The monotonic clock at a true moment."""
        asleep = sum(min(moment, until) - since for since, until in self._slept if since < moment)
        return LocalTime(self._start + (moment - asleep) * self._rate)

    def true_moment(self, shown: LocalTime) -> LocalTime:
        """The true moment at which the monotonic clock shows this, as a time that a fake can store."""
        moment = (shown - self._start) / self._rate
        for since, until in self._slept:
            if since < moment:
                moment += until - since
        return LocalTime(moment)

    def since_boot(self) -> BootTime:
        return BootTime(self._start + self._time.now * self._rate + 50.0)

    def boot(self) -> str:
        return f"the host of {self._start}"

    def now(self) -> datetime:
        return datetime.fromtimestamp(self._time.primary(), UTC) + timedelta(seconds=self._skew)
