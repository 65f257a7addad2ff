"""The resolver's failure table, row by row: under load, every answer is checked against the history of commits.

`make faults` runs its rows with the full load and the default TTLs.
"""

from collections.abc import AsyncIterator

import httpx2
import pytest
import pytest_asyncio

from bench.faults.commit_history import Promise
from bench.faults.load import Load, Rates
from bench.faults.measures import measure
from bench.faults.server_faults import CASES, Fault, FaultCase
from bench.faults.suite import loaded
from tests.support.system import System
from tests.support.waiting import eventually

TTLS = Promise(positive=2.0, negative=1.0)
"""Seconds; so short that every entry expires during a fault."""
RATES = Rates(resolves=100.0, writes=20.0, routes=300, cold_routes=0, tenants=1)
FAULT_SECONDS = 3.5
CURRENT_SECONDS = 5.0
"""Heartbeats come every 2 s."""


class ResolversUnderLoad:
    """Two instances under load."""

    def __init__(self, load: Load, http: httpx2.AsyncClient) -> None:
        self.load = load
        self._http = http

    async def are_current(self) -> bool:
        """Whether every instance applies events again. A right answer proves nothing: its entry may just have expired."""
        return all([await self._stream_age(each) < CURRENT_SECONDS for each in self.load.instances])

    async def _stream_age(self, url: str) -> float:
        return (await measure(self._http, [url])).total("tm_staleness_bound_seconds")


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def resolvers(system: System) -> AsyncIterator[ResolversUnderLoad]:
    """Two instances with short TTLs that have loaded every route of a tenant."""
    ttl = {"TM_POSITIVE_TTL_SECONDS": str(TTLS.positive), "TM_NEGATIVE_TTL_SECONDS": str(TTLS.negative)}
    instances = [system.services.add_instance("data_plane", f"under-load-{number}", ttl) for number in (1, 2)]
    try:
        for each in instances:
            await each.start()
        async with loaded(system, RATES, TTLS, [each.urls[0] for each in instances]) as load:
            yield ResolversUnderLoad(load, system.http)
    finally:
        for each in instances:
            await each.stop()


@pytest.mark.parametrize("case", CASES, ids=str)
async def test_every_known_route_is_answered_within_its_bound_during(
    system: System, resolvers: ResolversUnderLoad, case: FaultCase
) -> None:
    async with resolvers.load.running() as phase:
        await case.happen(system.stack, FAULT_SECONDS)
    judge = phase.judge
    await eventually(resolvers.are_current, within=60)
    assert judge.broken[:10] == []
    if case.server != "postgres":
        assert judge.unknown == 0, "bounds are on the primary's clock, and the primary was up"
    assert judge.statuses.total() >= RATES.resolves * FAULT_SECONDS * 0.5, "too little load"
    if case.server == "kafka" and case.fault is not Fault.FLAPPING:
        assert judge.wrong > 0, "no answer was ever stale, so the test proves nothing"
