"""What the use cases and the worker need from MongoDB and Kafka."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from audit_consumer.domain.events import AuditEvent
from audit_consumer.domain.queries import Filters, Span
from audit_consumer.domain.records import Batch, DeadLetter


@dataclass(frozen=True, slots=True)
class Refusal:
    """An event that the store will never take, and why."""

    event: AuditEvent
    why: str


@dataclass(frozen=True, slots=True)
class Stored:
    """What became of the events of one write: each is stored now, stood there before, or was refused for good."""

    stored: Sequence[AuditEvent]
    duplicates: int
    refused: Sequence[Refusal]


class AuditWriter(Protocol):
    """Takes events into the trail."""

    async def store(self, events: Sequence[AuditEvent]) -> Stored:
        """Store what is not there yet; returns once it survives the loss of a minority of servers.

        Raises DependencyUnavailable; part of the events may be stored then, and storing all again is right.
        """


class AuditReader(Protocol):
    """Answers from the trail."""

    async def find(self, filters: Filters, span: Span, limit: int) -> Sequence[AuditEvent]:
        """At most `limit` matching events whose sort keys lie in the span, highest sort key first.

        Raises DependencyUnavailable, or QueryTooSlow.
        """


class AuditStore(Protocol):
    """The trail as something that has to be there."""

    async def prepare(self) -> None:
        """Make sure that every index exists; does nothing when they do. Raises DependencyUnavailable."""

    async def ping(self) -> None:
        """Ask whether it answers. Raises DependencyUnavailable."""


class DeadLetters(Protocol):
    """Keeps what can never be stored."""

    async def put(self, letter: DeadLetter) -> None:
        """Returns once it is kept safely. Raises DependencyUnavailable."""


class RecordSource(Protocol):
    """The records of `route-events`, each to one member of the consumer group, again and again until committed."""

    async def poll(self) -> Batch:
        """The next records; an empty batch when none came in a while. Raises DependencyUnavailable."""

    async def commit(self, batch: Batch) -> None:
        """Never hand out this batch again. Raises AssignmentLost or DependencyUnavailable."""

    def rewind(self, batch: Batch) -> None:
        """Hand out this batch again, unless it went to another member meanwhile."""

    async def measure_lag(self) -> float:
        """Measure how far behind the group is; returns for how many seconds the worst partition made no progress.

        Raises DependencyUnavailable.
        """
