"""The resolver processes, as known from their status reports."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from shared.schemas.resolver_status import GONE_SECONDS, ResolverStatus

FORGET_SECONDS = 3600.0
"""A process without a report for this long is forgotten; the topic keeps a report for the same time."""


@dataclass(frozen=True, slots=True)
class Report:
    """One status report of a process. `status` is None in the last report of a process that shuts down."""

    instance: str
    status: ResolverStatus | None


@dataclass(frozen=True, slots=True)
class Member:
    """A process with its last status, and the seconds since that report arrived."""

    status: ResolverStatus
    silent_seconds: float

    @property
    def is_gone(self) -> bool:
        """Whether the process has been silent for too long to be waited for."""
        return self.silent_seconds >= GONE_SECONDS


@dataclass(frozen=True, slots=True)
class _LastReport:
    status: ResolverStatus
    arrived_at: float


class Fleet:
    """Every process that has reported and has not withdrawn. Times are seconds of the local monotonic clock.

    Silence counts from the moment at which the monitor began to read: older reports count as arrived at that moment.
    So a process is considered gone too late rather than too early.
    """

    def __init__(self) -> None:
        self._last: dict[str, _LastReport] = {}

    def restart(self, reports: Iterable[Report], at: float) -> None:
        """Replace everything with the reports that were written before the monitor began to read."""
        self._last.clear()
        self.update(reports, at)

    def update(self, reports: Iterable[Report], at: float) -> None:
        """Apply reports in the order in which they were written."""
        for each in reports:
            if each.status is None:
                self._last.pop(each.instance, None)
            else:
                self._last[each.instance] = _LastReport(each.status, at)
        self._last = {name: each for name, each in self._last.items() if at - each.arrived_at < FORGET_SECONDS}

    def members(self, now: float) -> Sequence[Member]:
        """All processes by name."""
        return [Member(each.status, max(0.0, now - each.arrived_at)) for _, each in sorted(self._last.items())]
