"""One true time, and clocks of hosts that show it wrongly."""

from datetime import UTC, datetime, timedelta

EPOCH = 1_700_000_000.0
PRIMARY_DRIFT = 70e-6


class TrueTime:
    """Seconds since the simulation began; only `pass_by` moves it."""

    def __init__(self) -> None:
        self.now = 0.0

    def pass_by(self, seconds: float) -> None:
        self.now += seconds

    def primary(self, moment: float | None = None) -> float:
        """What the primary's clock shows at a true moment, in POSIX seconds."""
        return EPOCH + (self.now if moment is None else moment) * (1 + PRIMARY_DRIFT)


class HostClock:
    """The clocks of one host: a monotonic one that drifts, and a wall clock that is minutes off."""

    def __init__(self, time: TrueTime, *, start: float, drift: float, skew: float) -> None:
        self._time = time
        self._start = start
        self._rate = 1 + drift
        self._skew = skew

    def monotonic(self) -> float:
        return self.at(self._time.now)

    def at(self, moment: float) -> float:
        """What the monotonic clock shows at a true moment."""
        return self._start + moment * self._rate

    def true_moment(self, shown: float) -> float:
        """When the monotonic clock shows this."""
        return (shown - self._start) / self._rate

    def since_boot(self) -> float:
        return self.monotonic() + 50.0

    def boot(self) -> str:
        return f"the host of {self._start}"

    def now(self) -> datetime:
        return datetime.fromtimestamp(self._time.primary(), UTC) + timedelta(seconds=self._skew)
