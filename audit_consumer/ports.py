"""The ports of the use cases and the worker to MongoDB and Kafka."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from audit_consumer.domain.events import AuditEvent
from audit_consumer.domain.queries import Filters, SortKeyRange
from audit_consumer.domain.records import Batch, DeadLetter


@dataclass(frozen=True, slots=True)
class Rejection:
    """An event that the store will never accept, and the reason."""

    event: AuditEvent
    reason: str


@dataclass(frozen=True, slots=True)
class WriteResult:
    """The outcome of one write. Each event was stored, was stored before (a duplicate), or was rejected for good."""

    stored: Sequence[AuditEvent]
    duplicates: int
    rejected: Sequence[Rejection]


class AuditWriter(Protocol):
    """Stores events in the trail."""

    async def store(self, events: Sequence[AuditEvent]) -> WriteResult:
        """Store the events that the trail lacks. Returns once they survive the loss of a minority of servers.

        Raises DependencyUnavailable. Some of the events may be stored then; the caller can store all of them again.
        """


class AuditReader(Protocol):
    """Queries the trail."""

    async def find(self, filters: Filters, keys: SortKeyRange, limit: int) -> Sequence[AuditEvent]:
        """At most `limit` matching events with a sort key in the range, highest sort key first.

        Raises DependencyUnavailable, or QueryTooSlow.
        """


class AuditStore(Protocol):
    """Prepares the store, and checks it."""

    async def create_indexes(self) -> None:
        """Create the missing indexes. Raises DependencyUnavailable."""

    async def ping(self) -> None:
        """Check that the store answers. Raises DependencyUnavailable."""


class DeadLetters(Protocol):
    """The dead letter queue."""

    async def put(self, letter: DeadLetter) -> None:
        """Returns once all in-sync replicas have the letter. Raises DependencyUnavailable."""


class RecordSource(Protocol):
    """The records of `route-events`. Each goes to one member of the consumer group, repeatedly until it is committed."""

    @property
    def group(self) -> str:
        """The name of the consumer group."""

    async def poll(self) -> Batch:
        """The next records; an empty batch when none arrive for a fraction of a second. Raises DependencyUnavailable."""

    async def commit(self, batch: Batch) -> None:
        """Note that the batch is stored: it is not returned again. Raises AssignmentLost or DependencyUnavailable."""

    def rewind(self, batch: Batch) -> None:
        """Let the next poll return this batch again, unless its partitions were assigned to another member."""

    async def measure_lag(self) -> float:
        """Measure how far the group lags. Returns the longest time, in seconds, that a lagging partition stood still.

        Raises DependencyUnavailable.
        """


@dataclass(frozen=True, slots=True, kw_only=True)
class Ports:
    """Every port of the service."""

    reader: AuditReader
    writer: AuditWriter
    store: AuditStore
    records: RecordSource
    dead_letters: DeadLetters
