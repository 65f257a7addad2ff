"""Which resolver processes have applied a committed change set. The argument is in docs/adr/0020."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

from control_plane.domain.fleet import Member
from shared.schemas.resolver_status import PartitionStatus, ResolverStatus

LONGEST_COMMIT = timedelta(seconds=60)
"""A change set commits within this time after its `committed_at`, because no request may take longer."""


@dataclass(frozen=True, slots=True)
class Position:
    """The position of a record of `route-events`."""

    partition: int
    offset: int


@dataclass(frozen=True, slots=True)
class Publication:
    """A committed change set on its way to the resolvers. `age_seconds` is its age on the primary's clock when read.

    `position` is None before Kafka acknowledged the event, and again after the outbox row with the position was purged.
    """

    tenant: str
    revision: int
    committed_at: datetime
    age_seconds: float
    is_published: bool
    position: Position | None

    def is_applied(self, status: ResolverStatus) -> bool:
        """Whether the process has applied the change set, according to its last status.

        Without a position, heartbeats decide: an event committed before a heartbeat precedes it in the event's partition,
        or precedes the same heartbeat in another partition.
        """
        if self.position is None:
            return self.is_published and _has_all_heartbeats(status, self.committed_at + LONGEST_COMMIT)
        return self.lag_records(status) == 0

    def lag_records(self, status: ResolverStatus) -> int | None:
        """How many records of the event's partition the process has yet to apply up to this one. None: unknown."""
        position = self.position
        if position is None:
            return None
        applied = next((each for each in status.partitions if each.partition == position.partition), None)
        return None if applied is None else max(0, position.offset + 1 - applied.next_offset)


def _has_all_heartbeats(status: ResolverStatus, since: datetime) -> bool:
    def has_heartbeat(partition: PartitionStatus) -> bool:
        return partition.as_of is not None and partition.as_of >= since

    return bool(status.partitions) and all(map(has_heartbeat, status.partitions))


class ApplyState(StrEnum):
    """Whether a process has applied a change set."""

    APPLIED = "applied"
    LAGGING = "lagging"
    GONE = "gone"
    """The process has been silent for so long that propagation does not wait for it."""


@dataclass(frozen=True, slots=True)
class Progress:
    """One process's progress towards a change set. `lag_seconds`: the change set's age while unapplied here, else 0."""

    status: ResolverStatus
    apply_state: ApplyState
    silent_seconds: float
    lag_records: int | None
    lag_seconds: float


@dataclass(frozen=True, slots=True)
class Propagation:
    """A change set, and the progress of every process towards it."""

    publication: Publication
    processes: tuple[Progress, ...]

    @property
    def is_live_everywhere(self) -> bool:
        """Whether at least one process has applied the change set, and all others have or are gone."""
        apply_states = {each.apply_state for each in self.processes}
        return ApplyState.APPLIED in apply_states and ApplyState.LAGGING not in apply_states


def propagation_of(publication: Publication, members: Iterable[Member], age_seconds: float) -> Propagation:
    """The progress of these processes towards a change set that is now `age_seconds` old."""
    return Propagation(publication, tuple(_progress(publication, each, age_seconds) for each in members))


def _progress(publication: Publication, member: Member, age_seconds: float) -> Progress:
    applied = publication.is_applied(member.status)
    apply_state = ApplyState.GONE if member.is_gone else ApplyState.APPLIED if applied else ApplyState.LAGGING
    lag = publication.lag_records(member.status)
    return Progress(
        member.status, apply_state, member.silent_seconds, 0 if applied else lag, 0.0 if applied else age_seconds
    )
