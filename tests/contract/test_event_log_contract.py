"""The event log: Kafka and the fake behave alike."""

import itertools
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, replace
from datetime import UTC, datetime

import pytest
import pytest_asyncio
from msgspec.structs import replace as with_fields

from control_plane.domain.outbox import Acknowledged, OutboxRecord
from control_plane.errors import NotPublished
from control_plane.ports.publishing import EventLog
from deploy.local.stack import Stack
from shared.schemas.events import Heartbeat, encode
from shared.schemas.topics import ROUTE_EVENTS
from tests.fakes.control_plane_event_log import FakeEventLog
from tests.support.control_plane import open_event_log
from tests.support.factories import a_change_set, a_tenant
from tests.support.kafka import read_all

_ids = itertools.count(1)


@dataclass(frozen=True)
class ConsumedRecord:
    """A record as a consumer sees it."""

    partition: int
    offset: int
    key: str | None
    headers: dict[str, str]
    value: bytes


@dataclass
class Subject:
    """An event log, and its records."""

    events: EventLog
    read: Callable[[], Awaitable[list[ConsumedRecord]]]
    partitions: int


@pytest.fixture(params=["fake", "kafka"])
def behind(request: pytest.FixtureRequest) -> Stack | None:
    """The servers behind the port; None for the fake."""
    return None if request.param == "fake" else request.getfixturevalue("stack")


@pytest_asyncio.fixture(loop_scope="session")
async def subject(behind: Stack | None) -> AsyncIterator[Subject]:
    if behind is None:
        fake = FakeEventLog()

        async def read_fake() -> list[ConsumedRecord]:
            return [_as_stored(place, each) for place, each in enumerate(fake.log)]

        yield Subject(fake, read_fake, 1)
        return
    bootstrap = behind.urls.kafka

    async def read() -> list[ConsumedRecord]:
        return [
            ConsumedRecord(
                each.partition,
                each.offset,
                each.key.decode() if each.key else None,
                {name: value.decode() for name, value in each.headers},
                each.value or b"",
            )
            for each in await read_all(bootstrap, ROUTE_EVENTS.name)
        ]

    async with open_event_log(bootstrap) as events:
        yield Subject(events, read, ROUTE_EVENTS.partitions)


def _as_stored(offset: int, each: OutboxRecord | Heartbeat) -> ConsumedRecord:
    if isinstance(each, Heartbeat):
        return ConsumedRecord(0, offset, None, {}, encode(each))
    return ConsumedRecord(0, offset, each.key, dict(each.headers), each.payload or b"")


def _record(key: str, revision: int) -> OutboxRecord:
    payload = encode(a_change_set(tenant=key, revision=revision))
    return OutboxRecord(next(_ids), ROUTE_EVENTS.name, key, {"correlation_id": "req-1"}, payload)


async def test_records_have_the_acknowledged_positions_and_are_in_order_within_a_key(subject: Subject) -> None:
    keys = [a_tenant() for _ in range(5)]
    records = [_record(keys[n % 5], n // 5 + 1) for n in range(500)]
    acknowledged: list[Acknowledged] = []
    await subject.events.publish(records, acknowledged.append)
    assert sorted(each.record.id for each in acknowledged) == [each.id for each in records]
    stored = {(each.partition, each.offset): each for each in await subject.read()}
    for each in acknowledged:
        found = stored[each.partition, each.offset]
        assert (found.key, found.value, found.headers) == (each.record.key, each.record.payload, each.record.headers)
    for key in keys:
        of_key = sorted((each for each in acknowledged if each.record.key == key), key=lambda each: each.offset)
        assert [each.record for each in of_key] == [each for each in records if each.key == key]
        assert len({each.partition for each in of_key}) == 1


async def test_heartbeat_is_written_to_every_partition(subject: Subject) -> None:
    heartbeat = Heartbeat(as_of=datetime.now(UTC))
    await subject.events.heartbeat(heartbeat)
    written = encode(with_fields(heartbeat, partitions=subject.partitions))
    found = [each.partition for each in await subject.read() if each.value == written]
    assert sorted(found) == list(range(subject.partitions))


@pytest.mark.parametrize("down", ["stopped", "frozen"])
async def test_unacknowledged_record_is_not_reported_and_can_be_published_later(stack: Stack, down: str) -> None:
    key = a_tenant()
    first, second = _record(key, 1), _record(key, 2)
    acknowledged: list[Acknowledged] = []
    async with open_event_log(stack.urls.kafka, publish_seconds=2) as events:
        await events.publish([first], acknowledged.append)
        await (stack.kafka.stop() if down == "stopped" else stack.kafka.freeze())
        try:
            for _ in range(2):
                with pytest.raises(NotPublished):
                    await events.publish([second], acknowledged.append)
        finally:
            await stack.kafka.start()
        assert [each.record for each in acknowledged] == [first]
        await events.publish([second], acknowledged.append)
    assert [each.record for each in acknowledged] == [first, second]


async def test_oversized_record_is_returned_as_rejected_and_delays_only_its_own_key(subject: Subject) -> None:
    large = replace(_record(a_tenant(), 1), payload=b"x" * 5_000_000)
    behind_it, other_large = _record(large.key, 2), replace(_record(a_tenant(), 1), payload=b"x" * 5_000_000)
    others = [_record(a_tenant(), 1) for _ in range(60)]
    acknowledged: list[Acknowledged] = []
    unpublished = await subject.events.publish(
        [*others[:30], large, other_large, *others[30:], behind_it], acknowledged.append
    )
    assert sorted(each.record.id for each in unpublished) == sorted([large.id, other_large.id])
    assert {each.reason for each in unpublished} == {"rejected"}
    assert sorted(each.record.id for each in acknowledged) == sorted(each.id for each in others)
    assert not await subject.events.publish([behind_it], acknowledged.append)


async def test_heartbeat_is_not_written_to_partitions_that_lack_events(subject: Subject) -> None:
    behind = _record(a_tenant(), 1)
    acknowledged: list[Acknowledged] = []
    await subject.events.publish([behind], acknowledged.append)
    heartbeat = Heartbeat(as_of=datetime.now(UTC))
    await subject.events.heartbeat(heartbeat, [behind.record_key])
    written = encode(with_fields(heartbeat, partitions=subject.partitions))
    found = {each.partition for each in await subject.read() if each.value == written}
    assert found == set(range(subject.partitions)) - {acknowledged[0].partition}
