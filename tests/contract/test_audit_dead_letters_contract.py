"""The contract of the dead letter queue, for the fake and for Kafka."""

from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass
from datetime import timedelta

import pytest
import pytest_asyncio

from audit_consumer.adapters.kafka.dead_letters import headers_of
from audit_consumer.domain.records import DeadLetter, DeadLetterReason, Record, RecordPosition
from audit_consumer.ports import DeadLetters
from deploy.local.stack import Stack
from shared.schemas.topics import MAX_RECORD_BYTES, ROUTE_EVENTS_DLQ
from tests.fakes.audit_dead_letters import FakeDeadLetters
from tests.support.audit import EPOCH, a_name
from tests.support.audit_servers import some_dead_letters
from tests.support.kafka import read_all

Kept = tuple[bytes | None, bytes | None, list[tuple[str, bytes | None]]]


@dataclass
class Queue:
    """A dead letter queue, and a function that returns the key, value and headers of every letter."""

    port: DeadLetters
    kept: Callable[[], Awaitable[list[Kept]]]


@pytest_asyncio.fixture
async def real_queue(stack: Stack) -> AsyncIterator[Queue]:
    async def kept() -> list[Kept]:
        found = await read_all(stack.urls.kafka, ROUTE_EVENTS_DLQ.name)
        return [(each.key, each.value, list(each.headers)) for each in found]

    letters = some_dead_letters(stack)
    yield Queue(letters, kept)
    await letters.close()


@pytest.fixture(params=["fake", "real"])
def queue(request: pytest.FixtureRequest) -> Queue:
    if request.param == "real":
        real: Queue = request.getfixturevalue("real_queue")
        return real
    fake = FakeDeadLetters()

    async def kept() -> list[Kept]:
        return [(each.record.key, each.record.value, headers_of(each)) for each in fake.letters]

    return Queue(fake, kept)


def a_letter(key: bytes | None, value: bytes | None, *headers: tuple[str, bytes | None]) -> DeadLetter:
    record = Record(RecordPosition("route-events", 3, 17), key, value, headers)
    return DeadLetter(record, DeadLetterReason.MALFORMED, "no JSON", EPOCH, EPOCH + timedelta(seconds=1))


async def test_letter_has_the_record_as_received_its_reason_and_its_times(queue: Queue) -> None:
    key = a_name().encode()
    await queue.port.put(a_letter(key, b"\xff no json", ("traceparent", b"00-1"), ("empty", None)))
    ((_, value, headers),) = [each for each in await queue.kept() if each[0] == key]
    assert value == b"\xff no json"
    assert headers == [
        ("traceparent", b"00-1"),
        ("empty", None),
        ("dlq.reason", b"malformed"),
        ("dlq.detail", b"no JSON"),
        ("dlq.source_topic", b"route-events"),
        ("dlq.source_partition", b"3"),
        ("dlq.source_offset", b"17"),
        ("dlq.first_failed_at", b"2026-01-01T00:00:00.000000Z"),
        ("dlq.last_failed_at", b"2026-01-01T00:00:01.000000Z"),
    ]


async def test_letter_without_a_key_or_value_is_kept(queue: Queue) -> None:
    before = len(await queue.kept())
    key = a_name().encode()
    await queue.port.put(a_letter(key, None))
    await queue.port.put(a_letter(None, key))
    added = [(kept_key, value) for kept_key, value, _ in (await queue.kept())[before:]]
    assert (key, None) in added
    assert (None, key) in added


async def test_largest_accepted_record_fits_with_its_headers(queue: Queue) -> None:
    key = a_name().encode()
    await queue.port.put(a_letter(key, b"x" * (MAX_RECORD_BYTES - 200)))
    assert any(each[0] == key for each in await queue.kept())
