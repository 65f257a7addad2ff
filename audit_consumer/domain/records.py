"""Kafka records as received, and dead letters."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from shared.runtime.tracing.messaging import TracedRecord


@dataclass(frozen=True, slots=True)
class RecordPosition:
    """The position of a record in Kafka."""

    topic: str
    partition: int
    offset: int

    def __str__(self) -> str:
        return f"{self.topic}[{self.partition}]@{self.offset}"


@dataclass(frozen=True, slots=True)
class Record:
    """A record as received."""

    position: RecordPosition
    key: bytes | None
    value: bytes | None
    headers: Sequence[tuple[str, bytes | None]] = ()


@dataclass(frozen=True, slots=True)
class Batch:
    """Records of one poll. `first_offsets` and `next_offsets` are by partition.

    `traced`: the records that belong to a trace. `generation` counts the rebalances of this consumer. A batch of an earlier generation can no longer be committed.
    """

    records: Sequence[Record]
    next_offsets: Mapping[int, int]
    first_offsets: Mapping[int, int]
    generation: int
    traced: Sequence[TracedRecord] = ()


class DeadLetterReason(StrEnum):
    """Why a record was moved to the dead letter queue; the values of a label of `tm_dlq_records_total`."""

    MALFORMED = "malformed"
    UNSUPPORTED_SCHEMA = "unsupported_schema"
    UNSTORABLE = "unstorable"
    WITHHELD = "withheld"
    """The record takes the place of a change set that Kafka refused: the trail lacks it until it is retried."""


@dataclass(frozen=True, slots=True)
class DeadLetter:
    """A record that can never be stored, the reason, and the times of its first and last failure."""

    record: Record
    reason: DeadLetterReason
    detail: str
    first_failed_at: datetime
    last_failed_at: datetime
