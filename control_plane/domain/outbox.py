"""Committed events on their way to Kafka."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Literal, TypeAlias

RecordKey: TypeAlias = tuple[str, str]
"""The topic and the key of a record."""


@dataclass(frozen=True, slots=True)
class OutboxRecord:
    """A committed record. Records of one `key` must reach Kafka in the order of their ids.

    A payload of None deletes the key from a compacted topic.
    """

    id: int
    topic: str
    key: str
    headers: Mapping[str, str]
    payload: bytes | None

    @property
    def record_key(self) -> RecordKey:
        """Records with the same one are published in the order of their ids."""
        return self.topic, self.key


@dataclass(frozen=True, slots=True)
class Unsent:
    """The oldest unsent records, by id. `complete`: there were no others when they were read."""

    records: tuple[OutboxRecord, ...]
    complete: bool


@dataclass(frozen=True, slots=True)
class Acknowledged:
    """A record that Kafka acknowledged, with its position."""

    record: OutboxRecord
    partition: int
    offset: int


@dataclass(frozen=True, slots=True)
class Unpublished:
    """A record that Kafka did not acknowledge. `reason` is one of a closed set, for metrics.

    `rejected`: Kafka refuses the record itself, on every retry. `attempted`: whether it was sent; a record is not while its
    partition has no leader, or for a pause after the partition failed.
    """

    record: OutboxRecord
    reason: Literal["timeout", "unavailable", "rejected"]
    why: str
    attempted: bool = True


@dataclass(frozen=True, slots=True)
class Backlog:
    """The unsent records. `oldest_seconds` is the age of the oldest on the primary's clock, 0 without any.

    `quarantined`: records that Kafka refused for good and that an operator has neither retried nor dropped.
    """

    unsent: int
    oldest_seconds: float
    quarantined: int = 0


@dataclass(frozen=True, slots=True)
class QuarantinedRecord:
    """A record that Kafka refused for good. `id` was its outbox id; times are the primary's."""

    id: int
    topic: str
    key: str
    bytes: int
    committed_at: datetime
    quarantined_at: datetime
    reason: str
