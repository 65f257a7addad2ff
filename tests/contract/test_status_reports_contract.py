"""What resolver processes report: the topic and the fake behave alike."""

from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, Sequence
from contextlib import aclosing
from dataclasses import dataclass
from secrets import token_hex

import pytest
import pytest_asyncio

from control_plane.adapters.kafka.status_reports import KafkaStatusReports
from control_plane.domain.fleet import Report
from control_plane.ports.propagation import StatusReports
from data_plane.adapters.kafka.status_log import STATUS_FAILURES, KafkaStatusLog
from deploy.local.stack import Stack
from shared.runtime.clock import SystemClock
from shared.runtime.health import DependencyHealth
from shared.runtime.metric_catalogue import Service
from shared.runtime.metrics import Metrics
from shared.runtime.resilience import Guard
from shared.schemas.topics import RESOLVER_STATUS
from tests.fakes.control_plane_propagation import FakeStatusReports, status_of
from tests.support.kafka import RawRecord, produce_raw
from tests.support.waiting import eventually


@dataclass
class Subject:
    """The reports, and the processes that make them."""

    reports: StatusReports
    tell: Callable[[str, int], Awaitable[None]]
    withdraw: Callable[[str], Awaitable[None]]


@pytest.fixture(params=["fake", "kafka"])
def behind(request: pytest.FixtureRequest) -> Stack | None:
    """The servers behind the port; None for the fake."""
    return None if request.param == "fake" else request.getfixturevalue("stack")


@pytest.fixture
def name() -> str:
    """Of a process that no other test knows."""
    return f"resolver-{token_hex(4)}"


@pytest_asyncio.fixture(loop_scope="session")
async def subject(behind: Stack | None) -> AsyncIterator[Subject]:
    if behind is None:
        yield _fake()
        return
    metrics = Metrics(Service.DATA_PLANE)
    guard = Guard(
        "status_reports",
        timeout=10,
        failures=STATUS_FAILURES,
        clock=SystemClock(),
        health=DependencyHealth(required=False),
        metrics=metrics,
    )
    log = KafkaStatusLog(behind.urls.kafka, "tests", guard)

    async def tell(instance: str, offset: int) -> None:
        await log.tell(status_of(instance, offset))

    reports = KafkaStatusReports(
        behind.urls.kafka, "tests", clock=SystemClock(), metrics=Metrics(Service.CONTROL_PLANE)
    )
    yield Subject(reports, tell, log.withdraw)
    await log.close()


def _fake() -> Subject:
    fake = FakeStatusReports()

    async def tell(instance: str, offset: int) -> None:
        fake.tell(instance, offset)

    async def withdraw(instance: str) -> None:
        fake.withdraw(instance)

    return Subject(fake, tell, withdraw)


class Ear:
    """Remembers what each process reported last; None: it withdrew."""

    def __init__(self, batches: AsyncGenerator[Sequence[Report], None]) -> None:
        self._batches = batches
        self.last: dict[str, int | None] = {}

    async def hear(self) -> None:
        """One more batch."""
        for each in await anext(self._batches):
            self.last[each.instance] = None if each.status is None else each.status.partitions[0].next_offset

    async def until(self, instance: str, offset: int | None) -> None:
        async def as_wanted() -> bool:
            await self.hear()
            return self.last.get(instance, "nothing") == offset

        await eventually(as_wanted, within=30)


async def test_the_first_batch_is_what_was_told_before(subject: Subject, name: str) -> None:
    for offset in (1, 2, 3):
        await subject.tell(name, offset)
    async with aclosing(subject.reports.batches()) as batches:
        ear = Ear(batches)
        await ear.hear()
        assert ear.last[name] == 3


async def test_what_is_told_later_follows(subject: Subject, name: str) -> None:
    async with aclosing(subject.reports.batches()) as batches:
        ear = Ear(batches)
        await ear.hear()
        await subject.tell(name, 4)
        await ear.until(name, 4)
        await subject.withdraw(name)
        await ear.until(name, None)


async def test_a_stream_that_is_opened_again_begins_with_everything(subject: Subject, name: str) -> None:
    await subject.tell(name, 1)
    for _ in range(2):
        async with aclosing(subject.reports.batches()) as batches:
            ear = Ear(batches)
            await ear.hear()
            assert ear.last[name] == 1


async def test_what_cannot_be_read_is_skipped_and_counted(stack: Stack, name: str) -> None:
    metrics = Metrics(Service.CONTROL_PLANE)
    reports = KafkaStatusReports(stack.urls.kafka, "tests", clock=SystemClock(), metrics=metrics)
    counted = metrics.counter("tm_resolver_reports_total")
    values = (b"not json", b'{"schema": 2}', b'{"schema": 1}')
    unreadable = [RawRecord(value, name.encode()) for value in values]
    await produce_raw(stack.urls.kafka, *unreadable, topic=RESOLVER_STATUS.name)
    async with aclosing(reports.batches()) as batches:
        ear = Ear(batches)
        await ear.hear()
    assert name not in ear.last
    assert counted.labels("malformed")._value.get() >= 2  # noqa: SLF001 - what /metrics would show
    assert counted.labels("unsupported_schema")._value.get() >= 1  # noqa: SLF001
