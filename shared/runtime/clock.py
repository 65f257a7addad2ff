"""Clocks: a monotonic one for ages and deadlines, one since the host's boot, and a wall clock for display only.

Times of different clocks are different types, so that mypy refuses to compare or store one in place of another.
"""

import math
import time
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import NewType, Protocol

LocalTime = NewType("LocalTime", float)
"""Seconds of this process's monotonic clock, from an arbitrary start."""
BootTime = NewType("BootTime", float)
"""Seconds since a host was booted, suspended time included."""
NEVER = LocalTime(-math.inf)
"""Before every local time."""

_BOOT_CLOCK = getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC)
_BOOT_ID, _CLOCK_OFFSETS = Path("/proc/sys/kernel/random/boot_id"), Path("/proc/self/timens_offsets")


class Clock(Protocol):
    """The clocks of a process; tests pass one that they can move."""

    def monotonic(self) -> LocalTime:
        """Seconds that never go back."""

    def now(self) -> datetime:
        """UTC wall time of this host. Never used to decide which of two values is newer."""


class BootClock(Clock, Protocol):
    """A clock that the next process on the same host reads as well."""

    def since_boot(self) -> BootTime:
        """Seconds since the boot, the same for every process while `boot` is the same; never goes back."""

    def boot(self) -> str:
        """Identifies the boot of the host; empty where it is unknown."""


class SystemClock:
    """This host's clocks."""

    # The C function itself: the resolver's hot path calls it twice for each request.
    monotonic: Callable[[], LocalTime] = staticmethod(time.monotonic)  # type: ignore[assignment]

    def now(self) -> datetime:
        return datetime.now(UTC)

    def since_boot(self) -> BootTime:
        return BootTime(time.clock_gettime(_BOOT_CLOCK))

    def boot(self) -> str:
        # A container may have a boot clock of its own: the host's, moved by these offsets.
        try:
            return " ".join(f"{_BOOT_ID.read_text()} {_CLOCK_OFFSETS.read_text()}".split())
        except OSError:
            return ""
