"""Batches of fetched records, limited in size so that one can be stored within the consumer group's poll interval."""

from collections.abc import Mapping, Sequence
from itertools import accumulate
from typing import TypeAlias

from aiokafka import ConsumerRecord, TopicPartition

from audit_consumer.domain.records import Batch, Record, RecordPosition
from shared.runtime.kafka.traced_records import traced_records
from shared.schemas.topics import MAX_RECORD_BYTES

MAX_BATCH_BYTES = 2 * MAX_RECORD_BYTES
"""Some 30,000 changes, in 30 writes. A member that does not poll for 5 minutes is removed from its group: storing a batch
must take less time than that.
"""

Fetched: TypeAlias = Mapping[TopicPartition, Sequence[ConsumerRecord[bytes, bytes]]]


def limit_bytes(fetched: Fetched, max_bytes: int = MAX_BATCH_BYTES) -> tuple[Fetched, dict[TopicPartition, int]]:
    """The records that fit into `max_bytes`, at least one, and by partition the first offset of those that do not fit."""
    fitting: dict[TopicPartition, Sequence[ConsumerRecord[bytes, bytes]]] = {}
    left_out: dict[TopicPartition, int] = {}
    for partition, records in fetched.items():
        count = _count_fitting(records, max_bytes)
        if not count and not fitting:
            count = 1
        if count:
            fitting[partition] = records[:count]
        if count < len(records):
            left_out[partition] = records[count].offset
        max_bytes -= sum(map(_size, records[:count]))
    return fitting, left_out


def _count_fitting(records: Sequence[ConsumerRecord[bytes, bytes]], max_bytes: int) -> int:
    sums = accumulate(map(_size, records))
    return sum(each <= max_bytes for each in sums)


def _size(record: ConsumerRecord[bytes, bytes]) -> int:
    return len(record.value or b"")


def batch_of(fetched: Fetched, generation: int) -> Batch:
    """The records as a batch of this generation."""
    return Batch(
        records=[_record(each) for records in fetched.values() for each in records],
        first_offsets={partition.partition: records[0].offset for partition, records in fetched.items()},
        next_offsets={partition.partition: records[-1].offset + 1 for partition, records in fetched.items()},
        generation=generation,
        traced=traced_records(each for records in fetched.values() for each in records),
    )


def _record(fetched: ConsumerRecord[bytes, bytes]) -> Record:
    return Record(
        RecordPosition(fetched.topic, fetched.partition, fetched.offset),
        fetched.key,
        fetched.value,
        tuple(fetched.headers),
    )
