"""Committed events on their way to Kafka."""

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class OutboxRecord:
    """A committed event. Those of one `key` must reach Kafka in the order of their ids. No payload removes the key."""

    id: int
    topic: str
    key: str
    headers: Mapping[str, str]
    payload: bytes | None


@dataclass(frozen=True, slots=True)
class Unsent:
    """The oldest unsent records, by id. `complete` when there were no more at the time of looking."""

    records: tuple[OutboxRecord, ...]
    complete: bool


@dataclass(frozen=True, slots=True)
class Acknowledged:
    """Where Kafka put a record."""

    record: OutboxRecord
    partition: int
    offset: int


@dataclass(frozen=True, slots=True)
class Backlog:
    """What waits in the outbox; `oldest_seconds` is the age of the oldest on the database's clock, 0 without any."""

    unsent: int
    oldest_seconds: float
