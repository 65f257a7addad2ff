"""Where a committed change set is live. The argument is in docs/adr/0020."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

from control_plane.domain.fleet import Member
from shared.schemas.resolver_status import PartitionStatus, ResolverStatus

LONGEST_COMMIT = timedelta(seconds=60)
"""A change set is committed within this time after the moment that it is dated; no request may take longer."""


@dataclass(frozen=True, slots=True)
class Position:
    """A record of `route-events`."""

    partition: int
    offset: int


@dataclass(frozen=True, slots=True)
class Publication:
    """A committed change set on its way to the resolvers; `age_seconds` old, on the primary's clock, when looked at.

    `position` is None before Kafka has it, and again when it was there for so long that its place is no longer kept.
    """

    tenant: str
    revision: int
    committed_at: datetime
    age_seconds: float
    is_published: bool
    position: Position | None

    def is_applied(self, status: ResolverStatus) -> bool:
        """Whether the process has applied it, as far as it has told.

        Without a position by the heartbeats: what was committed before one stands before it, in its partition or in front
        of the same heartbeat in another.
        """
        if self.position is None:
            return self.is_published and _heard_until(status, self.committed_at + LONGEST_COMMIT)
        return self.lag_records(status) == 0

    def lag_records(self, status: ResolverStatus) -> int | None:
        """How many records of its partition the process still has to apply until it has this one. None: not known."""
        place = self.position
        if place is None:
            return None
        there = next((each for each in status.partitions if each.partition == place.partition), None)
        return None if there is None else max(0, place.offset + 1 - there.next_offset)


def _heard_until(status: ResolverStatus, moment: datetime) -> bool:
    def has(partition: PartitionStatus) -> bool:
        return partition.as_of is not None and partition.as_of >= moment

    return bool(status.partitions) and all(map(has, status.partitions))


class ApplyState(StrEnum):
    """How a process stands to a change set."""

    APPLIED = "applied"
    LAGGING = "lagging"
    GONE = "gone"
    """It told nothing for so long that nobody waits for it."""


@dataclass(frozen=True, slots=True)
class Progress:
    """One process. `lag_seconds`: for how long the change set has been committed and not applied here; 0 when it is."""

    status: ResolverStatus
    apply_state: ApplyState
    silent_seconds: float
    lag_records: int | None
    lag_seconds: float


@dataclass(frozen=True, slots=True)
class Propagation:
    """A change set, and how every process stands to it."""

    publication: Publication
    processes: tuple[Progress, ...]

    @property
    def is_live_everywhere(self) -> bool:
        """Whether every process that is not gone has applied it, and there is one."""
        apply_states = {each.apply_state for each in self.processes}
        return ApplyState.APPLIED in apply_states and ApplyState.LAGGING not in apply_states


def propagation_of(publication: Publication, members: Iterable[Member], age_seconds: float) -> Propagation:
    """How these processes stand to a change set that is `age_seconds` old by now."""
    return Propagation(publication, tuple(_progress(publication, each, age_seconds) for each in members))


def _progress(publication: Publication, member: Member, age_seconds: float) -> Progress:
    applied = publication.is_applied(member.status)
    apply_state = ApplyState.GONE if member.is_gone else ApplyState.APPLIED if applied else ApplyState.LAGGING
    lag = publication.lag_records(member.status)
    return Progress(
        member.status, apply_state, member.silent_seconds, 0 if applied else lag, 0.0 if applied else age_seconds
    )
