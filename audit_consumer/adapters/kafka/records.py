"""The records of `route-events`, read as a member of the consumer group."""

import asyncio
from collections.abc import Mapping

from aiokafka import AIOKafkaConsumer, ConsumerRebalanceListener, TopicPartition
from aiokafka.errors import CommitFailedError, IllegalStateError, KafkaError

from audit_consumer.adapters.kafka.batches import batch_of, limit_bytes
from audit_consumer.domain.records import Batch
from audit_consumer.errors import AssignmentLost
from shared.runtime.kafka.clients import new_consumer, raise_on_disconnect, start_client, stop_consumer
from shared.runtime.kafka.lag_watchdog import LagWatchdog
from shared.runtime.metrics import Metrics
from shared.runtime.resilience import DependencyUnavailable, Guard
from shared.schemas.topics import ROUTE_EVENTS, ROUTE_EVENTS_DLQ

POLL_MS = 250
JOIN_SECONDS = 30.0
"""Longest wait to join the group. A member that died without leaving delays it by its session timeout of 10 s."""
CLOSE_SECONDS = 5.0

_DEAD_LETTERS = [TopicPartition(ROUTE_EVENTS_DLQ.name, each) for each in range(ROUTE_EVENTS_DLQ.partitions)]


class _Rebalances(ConsumerRebalanceListener):  # type: ignore[misc]  # aiokafka is not typed
    """Reports that partitions were revoked, also when the same ones are assigned again at once."""

    def __init__(self, records: "KafkaRecords") -> None:
        self._records = records

    def on_partitions_revoked(self, revoked: object) -> None:
        self._records.forget_assignment()

    def on_partitions_assigned(self, assigned: object) -> None:
        """Nothing to do: aiokafka begins at the committed offsets by itself."""


class KafkaRecords:
    """The RecordSource port. Connects on first use, and anew after a failure."""

    def __init__(
        self,
        bootstrap: str,
        client_id: str,
        group: str,
        *,
        max_records: int,
        guard: Guard,
        watchdog: LagWatchdog,
        metrics: Metrics,
    ) -> None:
        """`max_records` per batch."""
        self._bootstrap = bootstrap
        self._client_id = client_id
        self.group = group
        self._max_records = max_records
        self._guard = guard
        self._watchdog = watchdog
        self._depth = metrics.gauge("tm_dlq_depth")
        self._consumer: AIOKafkaConsumer | None = None
        self._generation = 0
        self._committed: dict[TopicPartition, int] = {}

    async def poll(self) -> Batch:
        consumer = self._consumer or await self._join()
        try:
            with raise_on_disconnect():
                async with asyncio.timeout(JOIN_SECONDS):
                    fetched = await consumer.getmany(timeout_ms=POLL_MS, max_records=self._max_records)
        except (KafkaError, TimeoutError) as error:
            await self.close()
            raise DependencyUnavailable(self._guard.name, f"{type(error).__name__}: {error}") from error
        # No rebalance can have happened since the records were fetched, because nothing was awaited: they are of this generation.
        fitting, left_out = limit_bytes(fetched)
        for partition, offset in left_out.items():
            consumer.seek(partition, offset)
        return batch_of(fitting, self._generation)

    async def commit(self, batch: Batch) -> None:
        consumer = self._consumer
        if consumer is None or batch.generation != self._generation:
            raise AssignmentLost("the group was rebalanced while the batch was stored")
        offsets = _on_topic(batch.next_offsets)
        async with self._guard.call():
            try:
                with raise_on_disconnect():
                    await consumer.commit(offsets)
            except (CommitFailedError, IllegalStateError) as error:
                raise AssignmentLost(str(error)) from error
        if batch.generation == self._generation:
            self._committed |= offsets

    def rewind(self, batch: Batch) -> None:
        if self._consumer is None or batch.generation != self._generation:
            return
        for partition, offset in _on_topic(batch.first_offsets).items():
            self._consumer.seek(partition, offset)

    async def measure_lag(self) -> float:
        """Also measures the depth of the dead letter queue; nothing is measured while this consumer is not connected."""
        consumer = self._consumer
        if consumer is None:
            return 0.0
        async with self._guard.call():
            with raise_on_disconnect():
                ends = await consumer.end_offsets(sorted(consumer.assignment()))
                for each in ends.keys() - self._committed.keys():
                    self._committed.setdefault(each, await _committed(consumer, each))
        stalled = self._watchdog.observe(ends, lambda partition: self._committed.get(partition, ends[partition]))
        async with self._guard.call():
            with raise_on_disconnect():
                ends = await consumer.end_offsets(_DEAD_LETTERS)
                firsts = await consumer.beginning_offsets(_DEAD_LETTERS)
        self._depth.set(sum(ends[each] - firsts[each] for each in _DEAD_LETTERS))
        return stalled

    def forget_assignment(self) -> None:
        """Batches polled until now can no longer be committed."""
        self._generation += 1
        self._committed.clear()
        self._watchdog.reset()

    async def close(self) -> None:
        """Leave the group, so that other members take over without delay."""
        consumer, self._consumer = self._consumer, None
        self.forget_assignment()
        if consumer is not None:
            await stop_consumer(consumer, within_seconds=CLOSE_SECONDS)

    async def _join(self) -> AIOKafkaConsumer:
        consumer = new_consumer(self._bootstrap, self._client_id, group=self.group, from_start=True)
        consumer.subscribe([ROUTE_EVENTS.name], listener=_Rebalances(self))
        try:
            async with self._guard.call(within=JOIN_SECONDS):
                await start_client(consumer)
        except BaseException:
            await stop_consumer(consumer, within_seconds=CLOSE_SECONDS)
            raise
        self._consumer = consumer
        return consumer


async def _committed(consumer: AIOKafkaConsumer, partition: TopicPartition) -> int:
    offset: int | None = await consumer.committed(partition)
    if offset is not None:
        return offset
    beginning: dict[TopicPartition, int] = await consumer.beginning_offsets([partition])
    return beginning[partition]


def _on_topic(offsets: Mapping[int, int]) -> dict[TopicPartition, int]:
    return {TopicPartition(ROUTE_EVENTS.name, partition): offset for partition, offset in offsets.items()}
