"""Publishes committed events to Kafka."""

import asyncio
from collections import defaultdict
from collections.abc import AsyncIterator, Callable, Coroutine, Iterable, Sequence
from contextlib import asynccontextmanager
from typing import Any, Literal

import msgspec
from aiokafka import AIOKafkaProducer
from aiokafka.errors import KafkaError, MessageSizeTooLargeError, RecordListTooLargeError
from aiokafka.partitioner import DefaultPartitioner

from control_plane.domain.outbox import Acknowledged, OutboxRecord
from control_plane.errors import NotPublished
from shared.runtime.kafka.producer import ReplaceableProducer
from shared.runtime.resilience import DependencyUnavailable, Guard
from shared.schemas.events import Heartbeat, encode
from shared.schemas.topics import ROUTE_EVENTS

_partition_of = DefaultPartitioner()


class KafkaEventLog:
    """The EventLog port.

    Each partition's records are sent in batches, each after the previous one was acknowledged, so that the acknowledged
    records are always the first ones. A producer that sends ahead does not guarantee that when a batch fails for good.
    """

    def __init__(self, bootstrap: str, client_id: str, guard: Guard) -> None:
        self._producer = ReplaceableProducer(bootstrap, client_id, guard)

    async def publish(self, records: Sequence[OutboxRecord], acknowledged: Callable[[Acknowledged], None]) -> None:
        async with self._connected() as producer:
            await _complete_all(
                _send_in_order(producer, topic, partition, queued, acknowledged)
                for (topic, partition), queued in (await _by_partition(producer, records)).items()
            )

    async def heartbeat(self, heartbeat: Heartbeat) -> None:
        async with self._connected() as producer:
            partitions = await producer.partitions_for(ROUTE_EVENTS.name)
            value = encode(msgspec.structs.replace(heartbeat, partitions=len(partitions)))
            await _complete_all(_send_value(producer, partition, value) for partition in partitions)

    async def close(self) -> None:
        """Close the connection; records that the relay did not wait for are not delivered."""
        await self._producer.close()

    @asynccontextmanager
    async def _connected(self) -> AsyncIterator[AIOKafkaProducer]:
        try:
            async with self._producer.connected() as producer:
                yield producer
        except DependencyUnavailable as error:
            raise NotPublished(_reason(error.__cause__), str(error)) from error


async def _complete_all(sends: Iterable[Coroutine[Any, Any, None]]) -> None:
    """Let the sends of all partitions end, also when one fails; then raise the first error."""
    failures: list[KafkaError] = []

    async def complete(send: Coroutine[Any, Any, None]) -> None:
        try:
            await send
        except KafkaError as error:
            failures.append(error)

    async with asyncio.TaskGroup() as tasks:
        for each in sends:
            tasks.create_task(complete(each))
    if failures:
        raise failures[0]


async def _send_value(producer: AIOKafkaProducer, partition: int, value: bytes) -> None:
    batch = producer.create_batch()
    batch.append(timestamp=None, key=None, value=value)
    await (await producer.send_batch(batch, ROUTE_EVENTS.name, partition=partition))


async def _by_partition(
    producer: AIOKafkaProducer, records: Sequence[OutboxRecord]
) -> dict[tuple[str, int], list[OutboxRecord]]:
    partitions = {topic: sorted(await producer.partitions_for(topic)) for topic in {each.topic for each in records}}
    queued: dict[tuple[str, int], list[OutboxRecord]] = defaultdict(list)
    for each in records:
        queued[each.topic, _partition_of(each.key.encode(), partitions[each.topic], [])].append(each)
    return queued


async def _send_in_order(
    producer: AIOKafkaProducer,
    topic: str,
    partition: int,
    records: list[OutboxRecord],
    acknowledged: Callable[[Acknowledged], None],
) -> None:
    sent = 0
    while sent < len(records):
        batch = producer.create_batch()
        while sent + batch.record_count() < len(records) and _append(batch, records[sent + batch.record_count()]):
            pass
        taken = records[sent : sent + batch.record_count()]
        metadata = await (await producer.send_batch(batch, topic, partition=partition))
        for index, record in enumerate(taken):
            acknowledged(Acknowledged(record, partition, metadata.offset + index))
        sent += len(taken)


def _append(batch: Any, record: OutboxRecord) -> bool:
    """Returns whether the batch had room for the record. The first record of a batch always fits."""
    headers = [(name, value.encode()) for name, value in record.headers.items()]
    added = batch.append(timestamp=None, key=record.key.encode(), value=record.payload, headers=headers)
    return added is not None


def _reason(cause: BaseException | None) -> Literal["timeout", "unavailable", "rejected"]:
    if isinstance(cause, TimeoutError):
        return "timeout"
    return "rejected" if isinstance(cause, MessageSizeTooLargeError | RecordListTooLargeError) else "unavailable"
