"""The contract of the record source: it returns each record until that is committed, and not afterwards."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass

import pytest
import pytest_asyncio

from audit_consumer.domain.records import Batch
from audit_consumer.errors import AssignmentLost
from audit_consumer.ports import RecordSource
from deploy.local.stack import Stack
from tests.fakes.audit_records import FakeRecords, FakeTopic
from tests.support.audit import a_name
from tests.support.audit_servers import some_records
from tests.support.kafka import RawRecord, produce_raw, skip_to_end
from tests.support.waiting import eventually


@dataclass
class Group:
    """A group's member, and functions that add records, replace the member, and remove everything."""

    member: RecordSource
    add: Callable[[RawRecord], Awaitable[None]]
    restarted: Callable[[], Awaitable[RecordSource]]
    rebalance: Callable[[], Awaitable[None]]


@pytest_asyncio.fixture
async def real_group(stack: Stack) -> AsyncIterator[Group]:
    name = a_name()
    await skip_to_end(stack.urls.kafka, name)
    members = [some_records(stack, name, max_records=3)]

    async def restarted() -> RecordSource:
        await members[-1].close()
        members.append(some_records(stack, name, max_records=3))
        return members[-1]

    async def add(record: RawRecord) -> None:
        await produce_raw(stack.urls.kafka, record)

    async def rebalance() -> None:
        second = some_records(stack, name)
        joining = asyncio.create_task(second.poll())
        await eventually(lambda: _joined(members[0], joining))
        await second.close()

    yield Group(members[0], add, restarted, rebalance)
    await members[-1].close()


@pytest.fixture(params=["fake", "real"])
def group(request: pytest.FixtureRequest) -> Group:
    if request.param == "real":
        real: Group = request.getfixturevalue("real_group")
        return real
    topic = FakeTopic()

    async def add(record: RawRecord) -> None:
        topic.append(record)

    async def restarted() -> RecordSource:
        return FakeRecords(topic, max_records=3)

    member = FakeRecords(topic, max_records=3)

    async def rebalance() -> None:
        member.lose_assignment()

    return Group(member, add, restarted, rebalance)


async def _joined(member: RecordSource, joining: "asyncio.Task[Batch]") -> bool:
    # A member takes part in a rebalance while it takes records; what it gets here is not looked at.
    await member.poll()
    return joining.done()


def values(batch: Batch) -> list[bytes | None]:
    return [each.value for each in batch.records]


async def some(source: RecordSource) -> Batch:
    """The next non-empty batch."""

    async def take() -> Batch | None:
        batch = await source.poll()
        return batch if batch.records else None

    return await eventually(take)


async def test_poll_returns_records_in_partition_order_up_to_the_maximum(group: Group) -> None:
    for number in range(5):
        await group.add(RawRecord(b"%d" % number, b"key", (("name", b"value"),), partition=2))
    first, second = await some(group.member), await some(group.member)
    assert values(first) + values(second) == [b"0", b"1", b"2", b"3", b"4"]
    assert len(first.records) <= 3
    record = first.records[0]
    assert (record.position.topic, record.position.partition, record.key) == ("route-events", 2, b"key")
    assert list(record.headers) == [("name", b"value")]
    assert first.next_offsets == {2: first.records[-1].position.offset + 1}


async def test_committed_records_are_not_polled_again(group: Group) -> None:
    await group.add(RawRecord(b"one", partition=1))
    await group.member.commit(await some(group.member))
    await group.add(RawRecord(b"two", partition=1))
    assert values(await some(await group.restarted())) == [b"two"]


async def test_uncommitted_records_are_polled_by_the_next_member(group: Group) -> None:
    await group.add(RawRecord(b"one", partition=1))
    await some(group.member)
    assert values(await some(await group.restarted())) == [b"one"]


async def test_rewound_batch_is_polled_again(group: Group) -> None:
    for partition in (0, 1):
        await group.add(RawRecord(b"value", partition=partition))
    seen = 0
    while seen < 2:
        batch = await some(group.member)
        group.member.rewind(batch)
        again = await some(group.member)
        assert {each.position for each in again.records} >= {each.position for each in batch.records[:1]}
        await group.member.commit(again)
        seen += len(again.records)


async def test_batch_of_a_lost_assignment_cannot_be_committed_or_rewound(group: Group) -> None:
    await group.add(RawRecord(b"one", partition=1))
    batch = await some(group.member)
    await group.rebalance()
    with pytest.raises(AssignmentLost):
        await group.member.commit(batch)
    group.member.rewind(batch)
    assert values(await some(await group.restarted())) == [b"one"]


async def test_poll_without_new_records_returns_an_empty_batch(group: Group) -> None:
    batch = await group.member.poll()
    assert (list(batch.records), dict(batch.next_offsets)) == ([], {})
    await group.member.measure_lag()


async def test_large_records_are_split_over_batches_without_loss(group: Group) -> None:
    large = [b"%d" % number + b"x" * (3 * 1024 * 1024) for number in range(8)]
    for number, value in enumerate(large):
        await group.add(RawRecord(value, partition=number))
    seen: list[bytes | None] = []
    while len(seen) < len(large):
        batch = await some(group.member)
        await group.member.commit(batch)
        seen += values(batch)
    assert sorted(seen, key=str) == large
