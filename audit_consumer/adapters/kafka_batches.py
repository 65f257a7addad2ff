"""Batches out of what Kafka's client hands over, none larger than can be stored in good time."""

from collections.abc import Mapping, Sequence
from itertools import accumulate
from typing import TypeAlias

from aiokafka import ConsumerRecord, TopicPartition

from audit_consumer.domain.records import Batch, Record, RecordPosition
from shared.schemas.topics import MAX_RECORD_BYTES

LARGEST_BATCH_BYTES = 2 * MAX_RECORD_BYTES
"""A member that does not poll for 5 minutes loses its place: no batch may be so large that storing it takes longer.
This is some 30,000 changes, 30 writes."""

Found: TypeAlias = Mapping[TopicPartition, Sequence[ConsumerRecord[bytes, bytes]]]


def limit_bytes(found: Found, most: int = LARGEST_BATCH_BYTES) -> tuple[Found, dict[TopicPartition, int]]:
    """The records that fit into so many bytes, at least one, and by partition the first offset of those that do not."""
    taken: dict[TopicPartition, Sequence[ConsumerRecord[bytes, bytes]]] = {}
    left: dict[TopicPartition, int] = {}
    for partition, records in found.items():
        fitting = _fitting(records, most)
        if not fitting and not taken:
            fitting = 1
        if fitting:
            taken[partition] = records[:fitting]
        if fitting < len(records):
            left[partition] = records[fitting].offset
        most -= sum(map(_size, records[:fitting]))
    return taken, left


def _fitting(records: Sequence[ConsumerRecord[bytes, bytes]], most: int) -> int:
    sums = accumulate(map(_size, records))
    return sum(each <= most for each in sums)


def _size(record: ConsumerRecord[bytes, bytes]) -> int:
    return len(record.value or b"")


def batch_of(found: Found, generation: int) -> Batch:
    """The records as a batch of this generation."""
    return Batch(
        records=[_record(each) for records in found.values() for each in records],
        first_offsets={partition.partition: records[0].offset for partition, records in found.items()},
        next_offsets={partition.partition: records[-1].offset + 1 for partition, records in found.items()},
        generation=generation,
    )


def _record(found: ConsumerRecord[bytes, bytes]) -> Record:
    return Record(
        RecordPosition(found.topic, found.partition, found.offset), found.key, found.value, tuple(found.headers)
    )
