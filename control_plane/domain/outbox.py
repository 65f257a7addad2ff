"""Committed events on their way to Kafka."""

from collections.abc import Mapping
from dataclasses import dataclass


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
class Backlog:
    """The unsent records. `oldest_seconds` is the age of the oldest on the primary's clock, 0 without any."""

    unsent: int
    oldest_seconds: float
