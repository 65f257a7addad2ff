"""A clock that tests control."""

from datetime import UTC, datetime, timedelta

from shared.runtime.clock import BootTime, LocalTime


class MovableClock:
    """A clock that only `advance` and `sleep` move. All times are in seconds."""

    def __init__(self, start: datetime = datetime(2026, 1, 1, tzinfo=UTC)) -> None:
        self._start = start
        self._elapsed = 0.0
        self._boot, self._asleep = "this boot", 0.0

    def monotonic(self) -> LocalTime:
        return LocalTime(1_000.0 + self._elapsed)

    def now(self) -> datetime:
        return self._start + timedelta(seconds=self._elapsed)

    def since_boot(self) -> BootTime:
        return BootTime(400.0 + self._elapsed + self._asleep)

    def boot(self) -> str:
        return self._boot

    def reboot(self, as_boot: str = "another boot") -> None:
        """Changes the boot id that `boot` returns, as a reboot of the host would."""
        self._boot = as_boot

    def sleep(self, seconds: float) -> None:
        """Suspends the host: `since_boot` advances, `monotonic` does not."""
        self._asleep += seconds

    def advance(self, seconds: float) -> None:
        """Advances all clocks."""
        self._elapsed += seconds
