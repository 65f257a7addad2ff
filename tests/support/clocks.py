"""A clock that tests move by hand."""

from datetime import UTC, datetime, timedelta


class MovableClock:
    """Stands still until `advance` moves it."""

    def __init__(self, start: datetime = datetime(2026, 1, 1, tzinfo=UTC)) -> None:
        self._start = start
        self._elapsed = 0.0
        self._boot, self._asleep = "this boot", 0.0

    def monotonic(self) -> float:
        return 1_000.0 + self._elapsed

    def now(self) -> datetime:
        return self._start + timedelta(seconds=self._elapsed)

    def since_boot(self) -> float:
        return 400.0 + self._elapsed + self._asleep

    def boot(self) -> str:
        return self._boot

    def reboot(self, as_boot: str = "another boot") -> None:
        """From now on `since_boot` is that of another boot, or of nobody knows which."""
        self._boot = as_boot

    def sleep(self, seconds: float) -> None:
        """Let this much time pass with the host suspended, so that no monotonic clock notices."""
        self._asleep += seconds

    def advance(self, seconds: float) -> None:
        """Let this much time pass."""
        self._elapsed += seconds
