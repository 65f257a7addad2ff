"""Records as they come from Kafka, and what becomes of those that cannot be stored."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum


@dataclass(frozen=True, slots=True)
class RecordPosition:
    """Where a record stands."""

    topic: str
    partition: int
    offset: int

    def __str__(self) -> str:
        return f"{self.topic}[{self.partition}]@{self.offset}"


@dataclass(frozen=True, slots=True)
class Record:
    """A record as received."""

    place: RecordPosition
    key: bytes | None
    value: bytes | None
    headers: Sequence[tuple[str, bytes | None]] = ()


@dataclass(frozen=True, slots=True)
class Batch:
    """Records that were taken together, and where to go on after them by partition.

    `generation` counts the rebalances of this consumer: a batch of an earlier one is not ours any more.
    """

    records: Sequence[Record]
    next_offsets: Mapping[int, int]
    first_offsets: Mapping[int, int]
    generation: int


class Reason(StrEnum):
    """Why a record was moved to the dead letter queue. The same words as in `tm_dlq_records_total`."""

    MALFORMED = "malformed"
    UNSUPPORTED_SCHEMA = "unsupported_schema"
    UNSTORABLE = "unstorable"


@dataclass(frozen=True, slots=True)
class DeadLetter:
    """A record that can never be stored, as received, with why and since when."""

    record: Record
    reason: Reason
    detail: str
    first_failed_at: datetime
    last_failed_at: datetime
