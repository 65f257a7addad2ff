"""One run of a row: the running product under load, and the comparison of what was seen with what is promised."""

import asyncio
import math
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

import httpx2
from redis.asyncio import Redis

from bench.faults.load import Load, Phase
from bench.faults.measures import Measures, measure
from bench.faults.probes import Liveness
from bench.faults.server_faults import Control, beside_load
from deploy.local.server import Server
from deploy.local.stack import Stack
from tests.support.system import System

CALM_SECONDS = 5.0
SHOWN = 3
"""Complaints of the judge that the report quotes."""


@dataclass(frozen=True, slots=True)
class Check:
    """One promise, what was seen of it, and whether it was kept."""

    promise: str
    seen: str
    kept: bool


@dataclass
class Trial:
    """What a row works with. `seconds`: how long its fault lasts; `scale`: the part of the full duration."""

    system: System
    load: Load
    seconds: float
    scale: float
    calm_seconds: float = CALM_SECONDS
    checks: list[Check] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    records_deleted: bool = False
    """Whether the row deleted records of Kafka, which can then not be looked at."""
    cleanup: list[Callable[[], Awaitable[None]]] = field(default_factory=list)

    @property
    def stack(self) -> Stack:
        """The servers."""
        return self.system.stack

    @property
    def http(self) -> httpx2.AsyncClient:
        """A client with the admin's access key."""
        return self.system.http

    def expect(self, promise: str, seen: object, *, kept: bool) -> None:
        """Record whether a promise was kept."""
        self.checks.append(Check(promise, str(seen), kept))

    def at_most(self, promise: str, seen: float, limit: float, unit: str = "s") -> None:
        """Record a promise with an upper limit. `seen` is infinite where it did not happen."""
        text = f"{seen:,.3f} {unit}" if unit == "s" else f"{seen:,g} {unit}".strip()
        self.expect(
            f"{promise} <= {limit:g} {unit}".strip(), text if math.isfinite(seen) else "never", kept=seen <= limit
        )

    def at_least(self, promise: str, seen: float, limit: float, unit: str = "") -> None:
        """Record a promise with a lower limit."""
        self.expect(f"{promise} >= {limit:g} {unit}".strip(), f"{seen:,g} {unit}".strip(), kept=seen >= limit)

    def none_of(self, promise: str, found: Sequence[object]) -> None:
        """Record a promise that something does not happen; the report quotes the first cases."""
        quoted = "; ".join(str(each) for each in found[:SHOWN])
        self.expect(promise, f"{len(found)}: {quoted}" if found else "none", kept=not found)

    def judged(self, phase: Phase) -> None:
        """Record that every answer was consistent with the history, and what else the phase met."""
        judge = phase.judge
        total, written = judge.statuses.total(), phase.written
        self.none_of("every known route answered, within its bound and TTL, never going back", judge.broken)
        self.notes.append(
            f"{total:,} resolves (p99 {1000 * phase.p99:.1f} ms, {judge.stale:,} stale, {judge.wrong:,} were wrong, the longest "
            f"for {judge.longest_wrong:.2f} s, {judge.unknown:,} without a bound), {len(written.acknowledged):,} writes and "
            f"{len(written.refused):,} refused attempts; the load's own longest stall {1000 * phase.stalls.longest:.0f} ms"
        )
        self.expect(
            "half of the planned load at least was answered", f"{total:,}", kept=total >= 0.5 * self.planned(phase)
        )

    def planned(self, phase: Phase) -> float:
        """The resolves that were due in the phase."""
        if not phase.judge.spans:
            return 1.0
        return self.load.rates.resolves * (phase.judge.spans[-1][1] - phase.judge.spans[0][0])

    async def calm(self) -> Phase:
        """The load without a fault, for comparison."""
        async with self.load.running() as phase:
            await asyncio.sleep(self.calm_seconds)
        return phase

    async def measures(self, *servers: Server) -> Measures:
        """The metrics of these processes, or of the resolvers under load."""
        return await measure(self.http, [each.urls[0] for each in servers] or self.load.instances)

    @asynccontextmanager
    async def broken(self, start: Control, end: Control) -> AsyncIterator[float]:
        """The fault lasts until the end of the block, which gets its begin (monotonic)."""
        begun = time.monotonic()
        await beside_load(start)
        try:
            yield begun
        finally:
            await beside_load(end)

    def liveness(self) -> Liveness:
        """Asks every service whether it is alive, until the end of the block."""
        services = self.system.services
        return Liveness(
            [each.urls[0] for each in (services.control_plane, *services.data_planes, services.audit_consumer)]
        )

    async def empty_redis(self) -> None:
        """FLUSHALL."""
        redis = Redis.from_url(self.stack.urls.redis)
        await redis.flushall()
        await redis.aclose()

    async def extra_instance(self, module: str, name: str, **settings: str) -> Server:
        """A further instance with these settings, which is stopped after the row."""
        instance = self.system.services.add_instance(module, name, settings)
        self.cleanup.append(instance.stop)
        await instance.start()
        return instance
