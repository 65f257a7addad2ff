"""`route-events` in lists, with one consumer group."""

import asyncio
from collections import defaultdict
from dataclasses import dataclass, field

from audit_consumer.domain.records import Batch, Record, RecordPosition
from audit_consumer.errors import AssignmentLost
from shared.runtime.resilience import DependencyUnavailable
from shared.schemas.topics import ROUTE_EVENTS
from tests.support.kafka import RawRecord


@dataclass
class FakeTopic:
    """The records by partition, and the committed offsets of the group."""

    partitions: defaultdict[int, list[Record]] = field(default_factory=lambda: defaultdict(list))
    committed: dict[int, int] = field(default_factory=dict)

    def append(self, raw: RawRecord) -> RecordPosition:
        """Put a record at the end of its partition."""
        partition = self.partitions[raw.partition or 0]
        position = RecordPosition(ROUTE_EVENTS.name, raw.partition or 0, len(partition))
        partition.append(Record(position, raw.key, raw.value, raw.headers))
        return position


class FakeRecords:
    """The only member of the group. `lose_assignment` simulates a rebalance that assigns every partition to it again."""

    group = "audit-consumer"

    def __init__(self, topic: FakeTopic, *, max_records: int = 500) -> None:
        self._topic = topic
        self._max_records = max_records
        self._generation = 0
        self._positions = dict(topic.committed)
        self.is_down = False
        self.polls = 0

    async def poll(self) -> Batch:
        await asyncio.sleep(0)
        self._check()
        self.polls += 1
        records: list[Record] = []
        firsts, nexts = {}, {}
        for partition, log in self._topic.partitions.items():
            position = self._positions.get(partition, 0)
            if taken := log[position : position + self._max_records - len(records)]:
                records += taken
                firsts[partition], nexts[partition] = position, position + len(taken)
        self._positions |= nexts
        return Batch(records, nexts, firsts, self._generation)

    async def commit(self, batch: Batch) -> None:
        self._check()
        if batch.generation != self._generation:
            raise AssignmentLost("the group was rebalanced")
        self._topic.committed |= batch.next_offsets

    def rewind(self, batch: Batch) -> None:
        if batch.generation == self._generation:
            self._positions |= batch.first_offsets

    async def measure_lag(self) -> float:
        self._check()
        return 0.0

    async def close(self) -> None:
        self.lose_assignment()

    def lose_assignment(self) -> None:
        """Continue at the committed offsets. Earlier batches can no longer be committed."""
        self._generation += 1
        self._positions = dict(self._topic.committed)

    def _check(self) -> None:
        if self.is_down:
            raise DependencyUnavailable("kafka", "it is down")
