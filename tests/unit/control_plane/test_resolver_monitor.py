"""The monitor of the resolvers' status reports."""

import asyncio
from collections.abc import AsyncIterator

import pytest_asyncio

from control_plane.service.resolver_monitor import ResolverMonitor
from shared.runtime.background import in_background
from shared.runtime.clock import SystemClock
from shared.runtime.metrics import Metrics
from shared.runtime.service import Service
from tests.fakes.control_plane_propagation import FakeStatusReports
from tests.support.waiting import eventually

LONG = 60.0


class Watched:
    """A running monitor."""

    def __init__(self) -> None:
        self.reports = FakeStatusReports()
        self.metrics = Metrics(Service.CONTROL_PLANE)
        self.notes: dict[str, str] = {}
        self.watch = ResolverMonitor(self.reports, clock=SystemClock(), metrics=self.metrics, notes=self.notes)

    async def knows(self, *names: str) -> bool:
        members = self.watch.members()
        return members is not None and [each.status.instance for each in members] == list(names)


@pytest_asyncio.fixture(loop_scope="session")
async def watched() -> AsyncIterator[Watched]:
    watched = Watched()
    watched.reports.report("a", 1)
    async with in_background(watched.watch.run, "resolver monitor", backoff=watched.watch.backoff):
        yield watched


async def test_monitor_knows_earlier_reports_and_wakes_waiters_on_new_ones(watched: Watched) -> None:
    await eventually(lambda: watched.knows("a"))
    waiting = asyncio.create_task(watched.watch.wait_for_report(LONG))
    await asyncio.sleep(0)
    watched.reports.report("b", 1)
    async with asyncio.timeout(LONG / 2):
        await waiting
    assert await watched.knows("a", "b")


async def test_members_are_unknown_while_reports_cannot_be_read(watched: Watched) -> None:
    await eventually(lambda: watched.knows("a"))
    watched.reports.interrupt()

    async def is_unknown() -> bool:
        return watched.watch.members() is None

    await eventually(is_unknown)
    assert "unknown" in watched.notes["resolvers"]
    watched.reports.is_down = False
    await eventually(lambda: watched.knows("a"))
    assert watched.notes["resolvers"] == "1 resolver processes report, 0 have gone silent"


async def test_metrics_count_live_and_gone_processes(watched: Watched) -> None:
    await eventually(lambda: watched.knows("a"))
    shown = watched.metrics.exposition().decode()
    assert 'tm_resolver_processes{state="live"} 1.0' in shown
    assert 'tm_resolver_processes{state="gone"} 0.0' in shown
