"""Produces records to Kafka, reads topics, and reads and sets the offsets of consumer groups."""

from collections.abc import Iterable, Mapping
from contextlib import AsyncExitStack
from dataclasses import dataclass

from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, ConsumerRecord, TopicPartition

from shared.runtime.kafka.clients import new_producer
from shared.schemas.events import CORRELATION_ID_HEADER, ChangesWithheld, Heartbeat, RouteChanged, encode
from shared.schemas.topics import MAX_RECORD_BYTES, ROUTE_EVENTS, TOPICS

_PARTITIONS = {each.name: each.partitions for each in TOPICS}
_WAIT_MS = 10_000


@dataclass(frozen=True, slots=True)
class RawRecord:
    """A record as bytes, for records that the product would not write."""

    value: bytes | None
    key: bytes | None = None
    headers: tuple[tuple[str, bytes], ...] = ()
    partition: int | None = None


@dataclass(frozen=True, slots=True)
class RecordPosition:
    """The partition and offset of a record."""

    partition: int
    offset: int


async def produce(bootstrap: str, *events: RouteChanged | ChangesWithheld) -> list[RecordPosition]:
    """Writes change sets and markers to `route-events` as the relay does: keyed by tenant, in the given order."""
    return await produce_raw(bootstrap, *(_record(event) for event in events))


async def produce_heartbeat(bootstrap: str, heartbeat: Heartbeat) -> list[RecordPosition]:
    """Writes a heartbeat to every partition of `route-events`."""
    partitions = range(ROUTE_EVENTS.partitions)
    return await produce_raw(bootstrap, *(RawRecord(encode(heartbeat), partition=each) for each in partitions))


async def produce_raw(bootstrap: str, *records: RawRecord, topic: str = ROUTE_EVENTS.name) -> list[RecordPosition]:
    """Writes records to a topic and waits for their acknowledgements; returns the position of each."""
    producer: AIOKafkaProducer = new_producer(bootstrap, "tests")
    await producer.start()
    try:
        sent = [
            await producer.send(
                topic, value=each.value, key=each.key, headers=list(each.headers), partition=each.partition
            )
            for each in records
        ]
        return [RecordPosition(done.partition, done.offset) for done in [await each for each in sent]]
    finally:
        await producer.stop()


def _record(event: RouteChanged | ChangesWithheld) -> RawRecord:
    correlation_id = event.correlation_id if isinstance(event, RouteChanged) else "req-1"
    headers = ((CORRELATION_ID_HEADER, correlation_id.encode()),)
    return RawRecord(encode(event), event.tenant.encode(), headers)


async def read_all(
    bootstrap: str, topic: str, start: Mapping[int, int] | None = None
) -> list[ConsumerRecord[bytes | None, bytes | None]]:
    """All records of a topic up to its current end. `start`: the first offset by partition, instead of the beginning."""
    async with AsyncExitStack() as stack:
        consumer, partitions = await _attached(stack, bootstrap, topic)
        ends = await consumer.end_offsets(partitions)
        firsts = await consumer.beginning_offsets(partitions)
        for each in partitions:
            consumer.seek(each, (start or {}).get(each.partition, firsts[each]))
        found: list[ConsumerRecord[bytes | None, bytes | None]] = []
        while await _is_behind(consumer, ends):
            for records in (await consumer.getmany(timeout_ms=_WAIT_MS)).values():
                found += [each for each in records if each.offset < ends[TopicPartition(topic, each.partition)]]
        return found


async def end_offsets(bootstrap: str, topic: str) -> dict[int, int]:
    """The offset after the last record of each partition."""
    async with AsyncExitStack() as stack:
        consumer, partitions = await _attached(stack, bootstrap, topic)
        return {each.partition: end for each, end in (await consumer.end_offsets(partitions)).items()}


async def committed_offsets(bootstrap: str, group: str, topic: str = ROUTE_EVENTS.name) -> dict[int, int]:
    """The committed offsets of a group, by partition, without partitions that have none."""
    async with AsyncExitStack() as stack:
        consumer, partitions = await _attached(stack, bootstrap, topic, group)
        offsets = {each.partition: await consumer.committed(each) for each in partitions}
        return {partition: offset for partition, offset in offsets.items() if offset is not None}


async def skip_to_end(bootstrap: str, group: str, topic: str = ROUTE_EVENTS.name) -> dict[int, int]:
    """Commits the current end of the topic for a group without members, so that a test reads only its own events."""
    async with AsyncExitStack() as stack:
        consumer, partitions = await _attached(stack, bootstrap, topic, group)
        ends = await consumer.end_offsets(partitions)
        await consumer.commit(ends)
        return {each.partition: end for each, end in ends.items()}


async def _attached(
    stack: AsyncExitStack, bootstrap: str, topic: str, group: str | None = None
) -> tuple[AIOKafkaConsumer, list[TopicPartition]]:
    consumer = AIOKafkaConsumer(
        bootstrap_servers=bootstrap,
        group_id=group,
        enable_auto_commit=False,
        auto_offset_reset="earliest",
        max_partition_fetch_bytes=2 * MAX_RECORD_BYTES,
        fetch_max_wait_ms=50,
    )
    stack.push_async_callback(consumer.stop)
    await consumer.start()
    partitions = [TopicPartition(topic, each) for each in range(_PARTITIONS[topic])]
    consumer.assign(partitions)
    return consumer, partitions


async def _is_behind(consumer: AIOKafkaConsumer, ends: Mapping[TopicPartition, int]) -> bool:
    return any([await consumer.position(each) < end for each, end in ends.items()])


def by_key(records: Iterable[ConsumerRecord[bytes | None, bytes | None]], key: bytes | None) -> list[bytes | None]:
    """The values of the records with this key, in order."""
    return [each.value for each in records if each.key == key]
