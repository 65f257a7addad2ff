"""The resolver processes, by what they tell of themselves."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from shared.schemas.resolver_status import GONE_SECONDS, ResolverStatus

FORGET_SECONDS = 3600.0
"""As long as the topic keeps what a process told last."""


@dataclass(frozen=True, slots=True)
class Report:
    """What a process told. `status` is None when it said that it is about to end."""

    instance: str
    status: ResolverStatus | None


@dataclass(frozen=True, slots=True)
class Member:
    """A process, and for how many seconds nothing was heard of it."""

    status: ResolverStatus
    silent_seconds: float

    @property
    def is_gone(self) -> bool:
        """Whether it counts as gone."""
        return self.silent_seconds >= GONE_SECONDS


@dataclass(frozen=True, slots=True)
class _Heard:
    status: ResolverStatus
    at: float


class Fleet:
    """Every process that told something and has not withdrawn. Moments are local monotonic seconds.

    Silence is counted while somebody listens only: what was told before counts as told at that moment. So a process is
    called gone too late rather than too early.
    """

    def __init__(self) -> None:
        self._heard: dict[str, _Heard] = {}

    def begin(self, reports: Iterable[Report], at: float) -> None:
        """Listening began: this is all that was told before."""
        self._heard.clear()
        self.hear(reports, at)

    def hear(self, reports: Iterable[Report], at: float) -> None:
        """Take in what was told, in its order."""
        for each in reports:
            if each.status is None:
                self._heard.pop(each.instance, None)
            else:
                self._heard[each.instance] = _Heard(each.status, at)
        self._heard = {name: each for name, each in self._heard.items() if at - each.at < FORGET_SECONDS}

    def members(self, now: float) -> Sequence[Member]:
        """All processes by name."""
        return [Member(each.status, max(0.0, now - each.at)) for _, each in sorted(self._heard.items())]
