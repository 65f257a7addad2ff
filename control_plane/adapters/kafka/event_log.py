"""Committed events into Kafka."""

import asyncio
from collections import defaultdict
from collections.abc import AsyncIterator, Callable, Coroutine, Iterable, Sequence
from contextlib import asynccontextmanager
from typing import Any, Literal

import msgspec
import structlog
from aiokafka import AIOKafkaProducer
from aiokafka.errors import KafkaError, MessageSizeTooLargeError, RecordListTooLargeError
from aiokafka.partitioner import DefaultPartitioner

from control_plane.domain.outbox import Acknowledged, OutboxRecord
from control_plane.errors import NotPublished
from shared.runtime.kafka.clients import abandon, new_producer, start_client
from shared.runtime.resilience import DependencyUnavailable, Guard
from shared.schemas.events import Heartbeat, encode
from shared.schemas.topics import ROUTE_EVENTS

UNAVAILABLE: tuple[type[Exception], ...] = (KafkaError,)
_ABANDON_SECONDS = 8.0
"""Longer than a request to a broker may take, which an abandoned producer waits for."""

_log = structlog.get_logger(__name__)
_partition_of = DefaultPartitioner()


class KafkaEventLog:
    """The EventLog port. Its producer starts with the first record, and is replaced after any failure.

    Each partition's records go in batches, the next one after the one before is acknowledged: so those acknowledged
    are always the first, which a producer that sends ahead does not promise when a batch fails for good.
    """

    def __init__(self, bootstrap: str, client_id: str, guard: Guard) -> None:
        self._bootstrap = bootstrap
        self._client_id = client_id
        self._guard = guard
        self._producer: AIOKafkaProducer | None = None

    async def publish(self, records: Sequence[OutboxRecord], acknowledged: Callable[[Acknowledged], None]) -> None:
        async with self._producing() as producer:
            await _each(
                _send_in_order(producer, topic, partition, queued, acknowledged)
                for (topic, partition), queued in (await _by_partition(producer, records)).items()
            )

    async def heartbeat(self, heartbeat: Heartbeat) -> None:
        async with self._producing() as producer:
            partitions = await producer.partitions_for(ROUTE_EVENTS.name)
            value = encode(msgspec.structs.replace(heartbeat, partitions=len(partitions)))
            await _each(_send_value(producer, partition, value) for partition in partitions)

    async def close(self) -> None:
        """Close the producer; it holds nothing by then, unless the relay was cut short."""
        producer, self._producer = self._producer, None
        if producer is not None:
            await _abandon(producer)

    @asynccontextmanager
    async def _producing(self) -> AsyncIterator[AIOKafkaProducer]:
        try:
            async with self._guard.call():
                if self._producer is None:
                    self._producer = new_producer(self._bootstrap, self._client_id)
                    await start_client(self._producer)
                yield self._producer
        except DependencyUnavailable as error:
            await self.close()
            raise NotPublished(_reason(error.__cause__), str(error)) from error
        except BaseException:
            await self.close()
            raise


async def _each(sendings: Iterable[Coroutine[Any, Any, None]]) -> None:
    """Let every partition's sending come to its end; raises one of the errors where there were any."""
    failures: list[KafkaError] = []

    async def finish(sending: Coroutine[Any, Any, None]) -> None:
        try:
            await sending
        except KafkaError as error:
            failures.append(error)

    async with asyncio.TaskGroup() as tasks:
        for each in sendings:
            tasks.create_task(finish(each))
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
        landed = await (await producer.send_batch(batch, topic, partition=partition))
        for place, record in enumerate(taken):
            acknowledged(Acknowledged(record, partition, landed.offset + place))
        sent += len(taken)


def _append(batch: Any, record: OutboxRecord) -> bool:
    """Whether there was room. The first record of a batch always finds room."""
    headers = [(name, value.encode()) for name, value in record.headers.items()]
    added = batch.append(timestamp=None, key=record.key.encode(), value=record.payload, headers=headers)
    return added is not None


def _reason(cause: BaseException | None) -> Literal["timeout", "unavailable", "rejected"]:
    if isinstance(cause, TimeoutError):
        return "timeout"
    return "rejected" if isinstance(cause, MessageSizeTooLargeError | RecordListTooLargeError) else "unavailable"


async def _abandon(producer: AIOKafkaProducer) -> None:
    try:
        async with asyncio.timeout(_ABANDON_SECONDS):
            await abandon(producer)
    except TimeoutError:
        _log.warning("a Kafka producer did not close in time", seconds=_ABANDON_SECONDS)
