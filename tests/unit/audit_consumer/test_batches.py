"""The size of a batch is limited, and no record is lost between batches."""

from collections.abc import Sequence
from dataclasses import dataclass, field

from aiokafka import TopicPartition
from hypothesis import given
from hypothesis import strategies as st

from audit_consumer.adapters.kafka.batches import batch_of, limit_bytes


@dataclass
class Found:
    """The attributes of a Kafka client's record that the adapter reads."""

    partition: int
    offset: int
    value: bytes | None
    topic: str = "route-events"
    key: bytes | None = None
    headers: Sequence[tuple[str, bytes]] = field(default_factory=tuple)


def found(sizes: dict[int, list[int]]) -> dict[TopicPartition, list[Found]]:
    return {
        TopicPartition("route-events", partition): [
            Found(partition, 10 + number, b"x" * size if size else None) for number, size in enumerate(each)
        ]
        for partition, each in sizes.items()
    }


SIZES = st.dictionaries(st.integers(0, 7), st.lists(st.integers(0, 50), min_size=1, max_size=6), min_size=1, max_size=4)


@given(SIZES, st.integers(1, 120))
def test_left_records_start_where_the_batch_ends(sizes: dict[int, list[int]], most: int) -> None:
    given_out = found(sizes)
    taken, left = limit_bytes(given_out, most)
    for partition, records in given_out.items():
        part = list(taken.get(partition, ()))
        assert part == records[: len(part)]
        assert left.get(partition) == (records[len(part)].offset if len(part) < len(records) else None)


@given(SIZES, st.integers(1, 120))
def test_batch_is_within_its_limit_or_has_one_record(sizes: dict[int, list[int]], most: int) -> None:
    taken, _ = limit_bytes(found(sizes), most)
    records = [record for each in taken.values() for record in each]
    assert records
    assert len(records) == 1 or sum(len(each.value or b"") for each in records) <= most


def test_batch_has_its_first_and_next_offsets() -> None:
    batch = batch_of(found({3: [1, 1, 1], 5: [1]}), generation=2)
    assert (batch.first_offsets, batch.next_offsets) == ({3: 10, 5: 10}, {3: 13, 5: 11})
    assert [(each.position.partition, each.position.offset) for each in batch.records] == [
        (3, 10),
        (3, 11),
        (3, 12),
        (5, 10),
    ]
