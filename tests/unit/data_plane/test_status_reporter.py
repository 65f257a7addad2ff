"""What a resolver process reports, and how often."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from datetime import UTC, datetime

from data_plane.domain.stream_coverage import StreamCoverage
from data_plane.service.events.status_reporter import StatusReporter
from shared.runtime.clock import LocalTime, SystemClock
from shared.runtime.version import VERSION
from shared.schemas.events import Heartbeat
from shared.schemas.resolver_status import PartitionStatus
from tests.fakes.data_plane_status_log import FakeStatusLog
from tests.support.waiting import eventually

NEVER = 3600.0
AS_OF = datetime(2026, 3, 2, 16, 5, 12, tzinfo=UTC)


class Process:
    """A resolver process that reads two partitions of the topic."""

    def __init__(self, *, change_seconds: float = 0.0, idle_seconds: float = NEVER) -> None:
        self.log = FakeStatusLog()
        self.stream_coverage = StreamCoverage()
        self.stream_coverage.begin({0: 10, 1: 20}, at=LocalTime(0), resumed=False)
        self.reporter = StatusReporter(
            self.log,
            self.stream_coverage,
            instance="resolver-1-1b9c0e",
            clock=SystemClock(),
            change_seconds=change_seconds,
            idle_seconds=idle_seconds,
        )

    def apply(self, offset: int) -> None:
        """Changes of partition 0 are applied up to this offset."""
        self.stream_coverage.mark_applied(0, offset)
        self.reporter.note_change()

    async def has_reported(self, offset: int) -> bool:
        return bool(self.log.reports) and self.log.reports[-1].partitions[0].next_offset == offset

    @asynccontextmanager
    async def reporting(self) -> AsyncIterator[None]:
        """It reports while the block runs, and has done so once before."""
        task = asyncio.create_task(self.reporter.run())
        try:
            await eventually(lambda: self.has_reported(10))
            yield
        finally:
            task.cancel()
            with suppress(asyncio.CancelledError):
                await task


def test_status_has_the_applied_offset_of_each_partition() -> None:
    process = Process()
    process.stream_coverage.mark_applied(1, 25, [Heartbeat(as_of=AS_OF, partitions=2)])
    status = process.reporter.status()
    assert (status.instance, status.version) == ("resolver-1-1b9c0e", VERSION)
    assert status.partitions == (
        PartitionStatus(partition=0, next_offset=10),
        PartitionStatus(partition=1, next_offset=25, as_of=AS_OF),
    )


def test_process_without_a_subscription_reports_no_partitions() -> None:
    process = Process()
    process.stream_coverage.begin({}, at=LocalTime(0), resumed=False)
    assert process.reporter.status().partitions == ()


async def test_change_after_a_quiet_time_is_reported_at_once() -> None:
    process = Process(change_seconds=NEVER)
    async with process.reporting():
        process.apply(11)
        await eventually(lambda: process.has_reported(11))


async def test_burst_of_changes_makes_two_reports_and_a_later_one() -> None:
    process = Process(change_seconds=0.2)
    async with process.reporting():
        for offset in range(11, 50):
            process.apply(offset)
            await asyncio.sleep(0)
        await eventually(lambda: process.has_reported(49))
        assert 3 <= len(process.log.reports) <= 4


async def test_idle_process_reports_at_an_interval() -> None:
    process = Process(idle_seconds=0.01)

    async def has_told_thrice() -> bool:
        return len(process.log.reports) >= 3

    async with process.reporting():
        await eventually(has_told_thrice)


async def test_failed_report_is_replaced_by_the_newest_one() -> None:
    process = Process(change_seconds=0.01)

    async def was_refused() -> bool:
        return process.log.refused >= 3

    async with process.reporting():
        process.log.is_down = True
        for offset in (11, 12, 13):
            process.apply(offset)
        await eventually(was_refused)
        reported = len(process.log.reports)
        process.log.is_down = False
        await eventually(lambda: process.has_reported(13))
        assert [each.partitions[0].next_offset for each in process.log.reports[reported:]] == [13]


async def test_process_withdraws_when_it_stops_if_kafka_responds() -> None:
    process = Process()
    await process.reporter.withdraw()
    assert process.log.withdrawn == ["resolver-1-1b9c0e"]
    process.log.is_down = True
    await process.reporter.withdraw()
