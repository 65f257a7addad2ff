"""The effect of writing a snapshot on concurrent requests, and the time to read it.

`.venv/bin/python -m bench.snapshot [routes]`; needs no server. The delay of the event loop is measured during the
writing, by a task that is due every millisecond, and without a snapshot for comparison.
"""

import asyncio
import statistics
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable
from pathlib import Path

from rich.console import Console
from rich.table import Table

from data_plane.adapters.snapshot.file import SnapshotFile
from data_plane.domain.active_value import ActiveValue
from data_plane.domain.entry import Entry, State, TtlPolicy
from data_plane.domain.remote_clock import PrimaryClock, PrimaryTime
from data_plane.domain.stream_coverage import StreamCoverage
from data_plane.domain.watermarks import Watermarks
from data_plane.service.cache.freshness import Freshness
from data_plane.service.cache.l1 import L1Cache
from data_plane.service.cache.staleness import StalenessBounds
from data_plane.service.snapshot.persistence import SnapshotPersistence
from shared.runtime.clock import LocalTime, SystemClock
from shared.runtime.metrics import Metrics
from shared.runtime.service import Service
from shared.schemas.identity import RouteKey

CLOCK = SystemClock()
QUIET_SECONDS = 3.0


async def main(routes: int) -> None:
    """Fill a cache, and print one row without a snapshot, one while it is written, one for reading it."""
    with tempfile.TemporaryDirectory() as directory:
        file = SnapshotFile(Path(directory) / "snapshot")
        table = Table("", "seconds", "turn p50 ms", "turn p99 ms", "longest ms", title=f"{routes:,} routes")
        full = _snapshots(file, routes, filled=True)
        table.add_row("no snapshot", *await _measured(lambda: asyncio.sleep(QUIET_SECONDS)))
        table.add_row("writing", *await _measured(full.write))
        table.add_row("writing on drain", *await _measured(lambda: full.write(pause_seconds=0)))
        table.add_row("reading", *await _measured(_snapshots(file, routes, filled=False).read))
    Console().print(table)


def _snapshots(file: SnapshotFile, routes: int, *, filled: bool) -> SnapshotPersistence:
    metrics, ttl_policy, stream_coverage, clock = (
        Metrics(Service.DATA_PLANE),
        TtlPolicy(),
        StreamCoverage(),
        PrimaryClock(),
    )
    local, marks = L1Cache(routes, metrics), Watermarks()
    clock.observe(sent=CLOCK.monotonic(), received=CLOCK.monotonic(), remote=PrimaryTime(time.time()))
    stream_coverage.begin({0: 0}, at=CLOCK.monotonic(), resumed=False)
    if filled:
        _fill(local, routes)
    staleness = StalenessBounds(
        stream_coverage=stream_coverage,
        watermarks=marks,
        primary_clock=clock,
        ttl_policy=ttl_policy,
        clock=CLOCK,
        metrics=metrics,
    )
    return SnapshotPersistence(
        file,
        l1=local,
        staleness=staleness,
        freshness=Freshness(ttl_policy, CLOCK, metrics),
        watermarks=marks,
        stream_coverage=stream_coverage,
        primary_clock=clock,
        ttl_policy=ttl_policy,
        clock=CLOCK,
        metrics=metrics,
    )


def _fill(local: L1Cache, routes: int) -> None:
    now = CLOCK.monotonic()
    for number in range(routes):
        key = RouteKey(f"team-{number % 100}", f"service-{number}", "prod", "v1")
        url = f"http://service-{number}.team.svc.cluster.local:8080"
        local.store(
            Entry(
                key, State.ACTIVE, ActiveValue(url), number, now, LocalTime(now + 60), PrimaryTime(time.time()), number
            )
        )


async def _measured(work: Callable[[], Awaitable[object]]) -> list[str]:
    late: list[float] = []
    ticking = asyncio.create_task(_tick(late))
    began = time.perf_counter()
    await work()
    took = time.perf_counter() - began
    ticking.cancel()
    quantiles = statistics.quantiles(late, n=100)
    return [f"{took:.2f}", f"{quantiles[49]:.2f}", f"{quantiles[98]:.2f}", f"{max(late):.1f}"]


async def _tick(late: list[float]) -> None:
    while True:
        due = time.perf_counter() + 0.001
        await asyncio.sleep(0.001)
        late.append(1000 * (time.perf_counter() - due))


if __name__ == "__main__":
    asyncio.run(main(int(sys.argv[1]) if len(sys.argv) > 1 else 200_000))
