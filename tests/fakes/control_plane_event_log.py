"""Kafka in memory, which can be made to refuse records, and to lose partitions."""

import asyncio
from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import dataclass, field
from zlib import crc32

from msgspec.structs import replace

from control_plane.domain.outbox import Acknowledged, OutboxRecord, RecordKey, Unpublished
from control_plane.errors import NotPublished
from shared.schemas.events import Heartbeat

MAX_BYTES = 4_000_000


@dataclass
class FakeEventLog:
    """The EventLog port. `refused` keys and an `available` that is cleared make it fail or wait.

    `leaderless`: partitions that accept nothing. Records above `MAX_BYTES` are refused for good.
    """

    log: list[OutboxRecord | Heartbeat] = field(default_factory=list)
    refused: set[str] = field(default_factory=set)
    reachable: bool = True
    available: asyncio.Event = field(default_factory=asyncio.Event)
    partitions: int = 1
    leaderless: set[int] = field(default_factory=set)
    heartbeats: dict[int, list[Heartbeat]] = field(default_factory=dict)
    max_bytes: int = MAX_BYTES

    def __post_init__(self) -> None:
        self.available.set()

    @property
    def records(self) -> list[OutboxRecord]:
        return [each for each in self.log if isinstance(each, OutboxRecord)]

    def partition_of(self, key: str) -> int:
        return crc32(key.encode()) % self.partitions

    async def publish(
        self, records: Sequence[OutboxRecord], acknowledged: Callable[[Acknowledged], None]
    ) -> Sequence[Unpublished]:
        await self._answer()
        unpublished: dict[RecordKey, Unpublished] = {}
        for record in records:
            if record.record_key in unpublished:
                continue
            failure = self._failure(record)
            if failure is not None:
                unpublished[record.record_key] = failure
                continue
            self.log.append(record)
            acknowledged(Acknowledged(record, self.partition_of(record.key), len(self.log) - 1))
        return list(unpublished.values())

    async def heartbeat(self, heartbeat: Heartbeat, behind: Collection[RecordKey] = ()) -> None:
        await self._answer()
        lacking = {self.partition_of(key) for _, key in behind}
        written = replace(heartbeat, partitions=self.partitions)
        for partition in self._without(lacking | self.leaderless):
            self.heartbeats.setdefault(partition, []).append(written)
            self.log.append(written)

    def _without(self, lacking: set[int]) -> Iterable[int]:
        return (each for each in range(self.partitions) if each not in lacking)

    def _failure(self, record: OutboxRecord) -> Unpublished | None:
        if record.key in self.refused or self.partition_of(record.key) in self.leaderless:
            return Unpublished(record, "unavailable", f"the partition of {record.key} has no leader")
        if len(record.payload or b"") > self.max_bytes:
            return Unpublished(record, "rejected", f"the record is larger than {self.max_bytes} bytes")
        return None

    async def _answer(self) -> None:
        await self.available.wait()
        if not self.reachable:
            raise NotPublished("unavailable", "connection refused")
