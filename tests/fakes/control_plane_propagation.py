"""Positions of change sets in Kafka, and status reports of resolver processes, in memory."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime

from control_plane.domain.fleet import Report
from control_plane.domain.propagation import Position, Publication
from control_plane.errors import NoSuchRevision, ReportsInterrupted
from shared.schemas.resolver_status import PartitionStatus, ResolverStatus
from tests.fakes.control_plane_registry import FakeRegistry

STARTED = datetime(2026, 1, 1, tzinfo=UTC)


@dataclass
class FakePublications:
    """The Publications port. A change set that is not in `positions` (by tenant and revision) waits in the outbox."""

    registry: FakeRegistry
    positions: dict[tuple[str, int], Position | None] = field(default_factory=dict)
    looks: int = 0

    async def get(self, tenant: str, revision: int) -> Publication:
        self.looks += 1
        now, known = self.registry.begin(), self.registry.tenant(tenant)
        if not 1 <= revision <= known.revision:
            raise NoSuchRevision(tenant, revision, known.revision)
        committed_at = self.registry.committed_of(tenant)[revision - 1].committed_at
        published = (tenant, revision) in self.positions
        age = (now - committed_at).total_seconds()
        return Publication(tenant, revision, committed_at, age, published, self.positions.get((tenant, revision)))


class FakeStatusReports:
    """The StatusReports port. `report` and `withdraw` add to `reports`; `interrupt` breaks every subscription."""

    def __init__(self) -> None:
        self.reports: list[Report] = []
        self.is_down = False
        self._queue: asyncio.Queue[Report | ReportsInterrupted] = asyncio.Queue()

    def report(self, instance: str, next_offset: int, *, as_of: datetime | None = None, partition: int = 0) -> None:
        """The process has applied all records before this offset of the partition."""
        self._add(Report(instance, status_of(instance, next_offset, as_of=as_of, partition=partition)))

    def withdraw(self, instance: str) -> None:
        self._add(Report(instance, None))

    def _add(self, report: Report) -> None:
        self.reports.append(report)
        self._queue.put_nowait(report)

    def interrupt(self) -> None:
        """Make Kafka unavailable."""
        self.is_down = True
        self._queue.put_nowait(ReportsInterrupted("the broker went away"))

    @asynccontextmanager
    async def subscribe(self) -> AsyncIterator["FakeReportSubscription"]:
        if self.is_down:
            raise ReportsInterrupted("Kafka is down")
        self._queue = asyncio.Queue()
        yield FakeReportSubscription(list(self.reports), self._queue)


@dataclass
class FakeReportSubscription:
    """The ReportSubscription port, with one report per poll."""

    backlog: Sequence[Report]
    queue: "asyncio.Queue[Report | ReportsInterrupted]"

    async def poll(self) -> Sequence[Report]:
        item = await self.queue.get()
        if isinstance(item, ReportsInterrupted):
            raise item
        return [item]


def status_of(instance: str, next_offset: int, *, as_of: datetime | None = None, partition: int = 0) -> ResolverStatus:
    """The status of a process that follows one partition."""
    partition_status = PartitionStatus(partition=partition, next_offset=next_offset, as_of=as_of)
    return ResolverStatus(instance=instance, version="0.1.0", started_at=STARTED, partitions=(partition_status,))
