"""Publishes committed events to Kafka. A partition that fails delays only its own records."""

import asyncio
from collections import defaultdict
from collections.abc import AsyncIterator, Awaitable, Callable, Collection, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from functools import partial
from typing import Literal, TypeAlias

import msgspec
from aiokafka import AIOKafkaProducer, TopicPartition
from aiokafka.errors import KafkaError, LeaderNotAvailableError
from aiokafka.partitioner import DefaultPartitioner

from control_plane.adapters.kafka.partition_holds import Partition, PartitionHolds
from control_plane.adapters.kafka.partition_sender import PartitionSender
from control_plane.domain.outbox import Acknowledged, OutboxRecord, RecordKey, Unpublished
from control_plane.errors import NotPublished
from shared.runtime.kafka.producer import ReplaceableProducer
from shared.runtime.resilience import DependencyUnavailable
from shared.schemas.events import Heartbeat, encode
from shared.schemas.topics import ROUTE_EVENTS

PARTITION_SECONDS = 5.0
"""Deadline of one partition in one call; shorter than the guard's timeout, which is for Kafka as a whole."""

_Send: TypeAlias = Callable[[AIOKafkaProducer], Awaitable[None]]
_partition_of = DefaultPartitioner()


@dataclass(frozen=True, slots=True)
class _Failure:
    """The failure of one partition. `attempted`: whether anything was sent to it."""

    error: Exception
    attempted: bool = True


class KafkaEventLog:
    """The EventLog port.

    A call fails as a whole when it sent to several partitions and none of them succeeded. The failure of a single
    partition does not count against the breaker, and the partition is sent nothing for a pause.
    """

    def __init__(
        self,
        producer: ReplaceableProducer,
        *,
        pauses_partitions: bool = True,
        partition_seconds: float = PARTITION_SECONDS,
    ) -> None:
        """`pauses_partitions`: False for a log whose few records are urgent; each failed call then fails as a whole."""
        self._pauses_partitions = pauses_partitions
        self._partition_seconds = partition_seconds
        self._producer = producer
        self._holds = PartitionHolds()

    async def publish(
        self, records: Sequence[OutboxRecord], acknowledged: Callable[[Acknowledged], None]
    ) -> Sequence[Unpublished]:
        senders: list[PartitionSender] = []
        failures: dict[Partition, _Failure] = {}
        unfinished: list[PartitionSender] | None = None
        while unfinished is None or unfinished:
            async with self._connected() as producer:
                if unfinished is None:
                    queued = await _by_partition(producer, records)
                    senders = [PartitionSender(partition, each, acknowledged) for partition, each in queued.items()]
                    unfinished = senders
                failures |= await self._send_all(producer, {each.partition: each.send for each in unfinished})
            if failures or any(each.needs_new_producer for each in unfinished):
                await self._producer.close()
            unfinished = [each for each in unfinished if each.unsent and each.partition not in failures]
        return [unpublished for each in senders for unpublished in _unpublished(each, failures.get(each.partition))]

    async def heartbeat(self, heartbeat: Heartbeat, behind: Collection[RecordKey] = ()) -> None:
        async with self._connected() as producer:
            partitions = sorted(await producer.partitions_for(ROUTE_EVENTS.name))
            value = encode(msgspec.structs.replace(heartbeat, partitions=len(partitions)))
            lacking = {
                _partition_of(key.encode(), partitions, []) for topic, key in behind if topic == ROUTE_EVENTS.name
            }
            failures = await self._send_all(
                producer,
                {
                    (ROUTE_EVENTS.name, number): partial(_send_value, number, value)
                    for number in partitions
                    if number not in lacking
                },
            )
        if failures:
            await self._producer.close()

    async def close(self) -> None:
        """Close the connection; records that the relay did not wait for are not delivered."""
        await self._producer.close()

    async def _send_all(
        self, producer: AIOKafkaProducer, sends: Mapping[Partition, _Send]
    ) -> dict[Partition, _Failure]:
        """Send to all partitions at the same time, and let each end. Returns those that failed."""
        failures: dict[Partition, _Failure] = {}

        async def complete(partition: Partition, send: _Send) -> None:
            failure = await self._send(producer, partition, send)
            if failure is None:
                self._holds.note_success(partition)
            else:
                failures[partition] = failure

        for topic in {topic for topic, _ in sends}:
            await producer.partitions_for(topic)  # a new producer knows no leaders
        async with asyncio.TaskGroup() as tasks:
            for partition, send in sends.items():
                tasks.create_task(complete(partition, send))
        attempted = {partition: each for partition, each in failures.items() if each.attempted}
        if attempted and len(attempted) == len(sends) and (len(sends) > 1 or not self._pauses_partitions):
            self._holds.clear()
            raise next(iter(attempted.values())).error
        for partition in attempted if self._pauses_partitions else ():
            self._holds.note_failure(partition)
        return failures

    async def _send(self, producer: AIOKafkaProducer, partition: Partition, send: _Send) -> _Failure | None:
        topic, number = partition
        if self._holds.is_held(partition):
            return _Failure(
                LeaderNotAvailableError(f"{topic}/{number} failed before and is in a pause"), attempted=False
            )
        if producer.client.cluster.leader_for_partition(TopicPartition(topic, number)) in (None, -1):
            producer.client.force_metadata_update()
            return _Failure(LeaderNotAvailableError(f"{topic}/{number} has no leader"), attempted=False)
        try:
            async with asyncio.timeout(self._partition_seconds):
                await send(producer)
        except (KafkaError, TimeoutError) as error:
            return _Failure(error)
        return None

    @asynccontextmanager
    async def _connected(self) -> AsyncIterator[AIOKafkaProducer]:
        try:
            async with self._producer.connected() as producer:
                yield producer
        except DependencyUnavailable as error:
            raise NotPublished(_reason(error.__cause__), str(error)) from error


def _unpublished(sender: PartitionSender, failure: _Failure | None) -> Iterator[Unpublished]:
    """The first unpublished record of each key."""
    for record, why in sender.refused:
        yield Unpublished(record, "rejected", why)
    if failure is not None:
        first = {each.record_key: each for each in reversed(sender.unsent)}
        why = f"{type(failure.error).__name__}: {failure.error}"
        for record in first.values():
            yield Unpublished(record, _reason(failure.error), why, failure.attempted)


async def _send_value(number: int, value: bytes, producer: AIOKafkaProducer) -> None:
    batch = producer.create_batch()
    batch.append(timestamp=None, key=None, value=value)
    await (await producer.send_batch(batch, ROUTE_EVENTS.name, partition=number))


async def _by_partition(
    producer: AIOKafkaProducer, records: Sequence[OutboxRecord]
) -> Mapping[Partition, list[OutboxRecord]]:
    partitions = {topic: sorted(await producer.partitions_for(topic)) for topic in {each.topic for each in records}}
    queued: dict[Partition, list[OutboxRecord]] = defaultdict(list)
    for each in records:
        queued[each.topic, _partition_of(each.key.encode(), partitions[each.topic], [])].append(each)
    return queued


def _reason(cause: BaseException | None) -> Literal["timeout", "unavailable"]:
    return "timeout" if isinstance(cause, TimeoutError) else "unavailable"
