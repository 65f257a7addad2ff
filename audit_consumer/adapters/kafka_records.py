"""The records of `route-events`, read as a member of the consumer group."""

import asyncio
import contextlib
from collections.abc import Mapping

from aiokafka import AIOKafkaConsumer, ConsumerRebalanceListener, TopicPartition
from aiokafka.errors import CommitFailedError, IllegalStateError, KafkaError

from audit_consumer.adapters.kafka_batches import batch_of, limit_bytes
from audit_consumer.domain.records import Batch
from audit_consumer.errors import AssignmentLost
from shared.runtime.kafka.clients import ProgressWatchdog, new_consumer, raise_on_disconnect, start_client
from shared.runtime.metrics import Metrics
from shared.runtime.resilience import DependencyUnavailable, Guard
from shared.schemas.topics import ROUTE_EVENTS, ROUTE_EVENTS_DLQ

POLL_MS = 250
JOIN_SECONDS = 30.0
"""Longest wait for a place in the group; one that died without leaving holds it up for its session of 10 s."""
CLOSE_SECONDS = 5.0

_DEAD_LETTERS = [TopicPartition(ROUTE_EVENTS_DLQ.name, each) for each in range(ROUTE_EVENTS_DLQ.partitions)]


class _Rebalances(ConsumerRebalanceListener):  # type: ignore[misc]  # aiokafka is not typed
    """Calls back when partitions are taken away, be it to be given back at once."""

    def __init__(self, lost: "KafkaRecords") -> None:
        self._records = lost

    def on_partitions_revoked(self, revoked: object) -> None:
        self._records.forget_assignment()

    def on_partitions_assigned(self, assigned: object) -> None:
        """Nothing: aiokafka begins at the committed offsets by itself."""


class KafkaRecords:
    """Connects on first use, and anew after a failure."""

    def __init__(
        self,
        bootstrap: str,
        client_id: str,
        group: str,
        *,
        max_records: int,
        guard: Guard,
        watchdog: ProgressWatchdog,
        metrics: Metrics,
    ) -> None:
        """`at_once` is the most records that one batch holds."""
        self._bootstrap = bootstrap
        self._client_id = client_id
        self._group = group
        self._at_once = max_records
        self._guard = guard
        self._watchdog = watchdog
        self._depth = metrics.gauge("tm_dlq_depth")
        self._consumer: AIOKafkaConsumer | None = None
        self._generation = 0
        self._done: dict[TopicPartition, int] = {}

    async def poll(self) -> Batch:
        """The next records; an empty batch when none came in a while. Raises DependencyUnavailable."""
        consumer = self._consumer or await self._join()
        try:
            with raise_on_disconnect():
                async with asyncio.timeout(JOIN_SECONDS):
                    found = await consumer.getmany(timeout_ms=POLL_MS, max_records=self._at_once)
        except (KafkaError, TimeoutError) as error:
            await self.close()
            raise DependencyUnavailable(self._guard.name, f"{type(error).__name__}: {error}") from error
        # Nothing was awaited since the records were taken out of the consumer: they are of this generation.
        taken, left = limit_bytes(found)
        for partition, offset in left.items():
            consumer.seek(partition, offset)
        return batch_of(taken, self._generation)

    async def commit(self, batch: Batch) -> None:
        """Never hand out this batch again. Raises AssignmentLost or DependencyUnavailable."""
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
            self._done |= offsets

    def rewind(self, batch: Batch) -> None:
        """Hand out this batch again, unless it went to another member meanwhile."""
        if self._consumer is None or batch.generation != self._generation:
            return
        for partition, offset in _on_topic(batch.first_offsets).items():
            self._consumer.seek(partition, offset)

    async def measure_lag(self) -> float:
        """Measure lag (from what is committed), progress, and the depth of the dead letter queue.

        Returns the seconds for which the worst partition made no progress; nothing is measured while this consumer
        has no place in the group. Raises DependencyUnavailable.
        """
        consumer = self._consumer
        if consumer is None:
            return 0.0
        async with self._guard.call():
            with raise_on_disconnect():
                ends = await consumer.end_offsets(sorted(consumer.assignment()))
                for each in ends.keys() - self._done.keys():
                    self._done.setdefault(each, await _committed(consumer, each))
        stalled = self._watchdog.observe(ends, lambda partition: self._done.get(partition, ends[partition]))
        async with self._guard.call():
            with raise_on_disconnect():
                ends = await consumer.end_offsets(_DEAD_LETTERS)
                firsts = await consumer.beginning_offsets(_DEAD_LETTERS)
        self._depth.set(sum(ends[each] - firsts[each] for each in _DEAD_LETTERS))
        return stalled

    def forget_assignment(self) -> None:
        """What was taken before is not ours to commit any more."""
        self._generation += 1
        self._done.clear()
        self._watchdog.forget()

    async def close(self) -> None:
        """Leave the group, so that others take over at once."""
        consumer, self._consumer = self._consumer, None
        self.forget_assignment()
        if consumer is not None:
            await _stop(consumer)

    async def _join(self) -> AIOKafkaConsumer:
        consumer = new_consumer(self._bootstrap, self._client_id, group=self._group, from_start=True)
        consumer.subscribe([ROUTE_EVENTS.name], listener=_Rebalances(self))
        try:
            async with self._guard.call(within=JOIN_SECONDS):
                await start_client(consumer)
        except BaseException:
            await _stop(consumer)
            raise
        self._consumer = consumer
        return consumer


async def _stop(consumer: AIOKafkaConsumer) -> None:
    with contextlib.suppress(KafkaError, TimeoutError), raise_on_disconnect():
        async with asyncio.timeout(CLOSE_SECONDS):
            await consumer.stop()


async def _committed(consumer: AIOKafkaConsumer, partition: TopicPartition) -> int:
    offset: int | None = await consumer.committed(partition)
    if offset is not None:
        return offset
    beginning: dict[TopicPartition, int] = await consumer.beginning_offsets([partition])
    return beginning[partition]


def _on_topic(offsets: Mapping[int, int]) -> dict[TopicPartition, int]:
    return {TopicPartition(ROUTE_EVENTS.name, partition): offset for partition, offset in offsets.items()}
