"""The StatusReports port: the fake and Kafka behave alike."""

from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from dataclasses import dataclass
from secrets import token_hex

import pytest
import pytest_asyncio

from control_plane.adapters.kafka.status_reports import KafkaStatusReports
from control_plane.domain.fleet import Report
from control_plane.ports.propagation import ReportSubscription, StatusReports
from data_plane.adapters.kafka.status_log import KafkaStatusLog
from deploy.local.stack import Stack
from shared.runtime.clock import SystemClock
from shared.runtime.health import DependencyHealth
from shared.runtime.kafka.producer import KAFKA_FAILURES
from shared.runtime.metrics import Metrics
from shared.runtime.resilience import Guard
from shared.runtime.service import Service
from shared.schemas.resolver_status import encode_status
from shared.schemas.topics import RESOLVER_STATUS
from tests.fakes.control_plane_propagation import FakeStatusReports, status_of
from tests.support.kafka import RawRecord, produce_raw
from tests.support.waiting import eventually


@dataclass
class Subject:
    """The reports, and the processes that make them."""

    reports: StatusReports
    report: Callable[[str, int], Awaitable[None]]
    withdraw: Callable[[str], Awaitable[None]]


@pytest.fixture(params=["fake", "kafka"])
def behind(request: pytest.FixtureRequest) -> Stack | None:
    """The servers behind the port; None for the fake."""
    return None if request.param == "fake" else request.getfixturevalue("stack")


@pytest.fixture
def name() -> str:
    """The name of a process that no other test uses."""
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
        failures=KAFKA_FAILURES,
        clock=SystemClock(),
        health=DependencyHealth(required=False),
        metrics=metrics,
    )
    log = KafkaStatusLog(behind.urls.kafka, "tests", guard)

    async def report(instance: str, offset: int) -> None:
        await log.report(status_of(instance, offset))

    reports = KafkaStatusReports(
        behind.urls.kafka, "tests", clock=SystemClock(), metrics=Metrics(Service.CONTROL_PLANE)
    )
    yield Subject(reports, report, log.withdraw)
    await log.close()


def _fake() -> Subject:
    fake = FakeStatusReports()

    async def report(instance: str, offset: int) -> None:
        fake.report(instance, offset)

    async def withdraw(instance: str) -> None:
        fake.withdraw(instance)

    return Subject(fake, report, withdraw)


class Receiver:
    """Keeps the last offset that each process reported; None: it withdrew."""

    def __init__(self, subscription: ReportSubscription) -> None:
        self._subscription = subscription
        self.last: dict[str, int | None] = {}
        self._keep(subscription.backlog)

    async def wait_reported(self, instance: str, offset: int | None) -> None:
        async def is_reported() -> bool:
            self._keep(await self._subscription.poll())
            return self.last.get(instance, "nothing") == offset

        await eventually(is_reported, within=30)

    def _keep(self, reports: Sequence[Report]) -> None:
        for each in reports:
            self.last[each.instance] = None if each.status is None else each.status.partitions[0].next_offset


async def test_backlog_has_the_reports_from_before_the_subscription(subject: Subject, name: str) -> None:
    for offset in (1, 2, 3):
        await subject.report(name, offset)
    async with subject.reports.subscribe() as subscription:
        assert Receiver(subscription).last[name] == 3


async def test_later_reports_follow_in_order(subject: Subject, name: str) -> None:
    async with subject.reports.subscribe() as subscription:
        receiver = Receiver(subscription)
        await subject.report(name, 4)
        await receiver.wait_reported(name, 4)
        await subject.withdraw(name)
        await receiver.wait_reported(name, None)


async def test_every_subscription_begins_with_all_reports(subject: Subject, name: str) -> None:
    await subject.report(name, 1)
    for _ in range(2):
        async with subject.reports.subscribe() as subscription:
            assert Receiver(subscription).last[name] == 1


async def test_reports_that_cannot_be_decoded_are_skipped_and_counted(stack: Stack, name: str) -> None:
    metrics = Metrics(Service.CONTROL_PLANE)
    reports = KafkaStatusReports(stack.urls.kafka, "tests", clock=SystemClock(), metrics=metrics)
    counted = metrics.counter("tm_resolver_reports_total")
    values = (b"not json", b'{"schema": 2}', b'{"schema": 1}')
    unreadable = [RawRecord(value, name.encode()) for value in values]
    await produce_raw(stack.urls.kafka, *unreadable, topic=RESOLVER_STATUS.name)
    async with reports.subscribe() as subscription:
        assert name not in Receiver(subscription).last
    assert counted.labels("malformed")._value.get() >= 2  # noqa: SLF001 - what /metrics would show
    assert counted.labels("unsupported_schema")._value.get() >= 1  # noqa: SLF001


async def test_outcomes_of_reports_are_those_of_the_metric_catalogue(stack: Stack, name: str) -> None:
    record = RawRecord(encode_status(status_of(name, 1)), name.encode())
    await produce_raw(stack.urls.kafka, record, RawRecord(None, name.encode()), topic=RESOLVER_STATUS.name)
    metrics = Metrics(Service.CONTROL_PLANE)
    before = metrics.exposition().count(b"tm_resolver_reports_total{")
    reports = KafkaStatusReports(stack.urls.kafka, "tests", clock=SystemClock(), metrics=metrics)
    async with reports.subscribe():
        pass
    assert b'tm_resolver_reports_total{outcome="accepted"} 0.0' not in metrics.exposition()
    assert metrics.exposition().count(b"tm_resolver_reports_total{") == before
