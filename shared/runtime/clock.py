"""Time as the services see it: a monotonic clock for ages and deadlines, a wall clock for display only."""

import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Protocol

_BOOT_CLOCK = getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC)
_BOOT_ID, _CLOCK_OFFSETS = Path("/proc/sys/kernel/random/boot_id"), Path("/proc/self/timens_offsets")


class Clock(Protocol):
    """What tells the time; tests hand in one they can move."""

    def monotonic(self) -> float:
        """Seconds that never go back, from an arbitrary start."""

    def now(self) -> datetime:
        """UTC wall time of this host. Never used to decide which of two values is newer."""


class BootClock(Clock, Protocol):
    """A clock that the next process on the same host reads as well."""

    def since_boot(self) -> float:
        """Seconds that never go back while `boot` is the same, whichever process asks; those asleep included."""

    def boot(self) -> str:
        """Which boot of which host this is; empty where nobody can tell."""


class SystemClock:
    """This host's clocks."""

    # The function itself: the resolver's hot path asks it twice for each request.
    monotonic = staticmethod(time.monotonic)

    def now(self) -> datetime:
        return datetime.now(UTC)

    def since_boot(self) -> float:
        return time.clock_gettime(_BOOT_CLOCK)

    def boot(self) -> str:
        # A container may have been given a clock of its own, which is the host's moved by these offsets.
        try:
            return " ".join(f"{_BOOT_ID.read_text()} {_CLOCK_OFFSETS.read_text()}".split())
        except OSError:
            return ""
