"""The resolver's failure table, row by row: under load, every answer is checked against the history of commits.

`python -m bench.faults` runs the same cases with the full load and the default TTLs.
"""

from collections.abc import AsyncIterator

import httpx2
import pytest
import pytest_asyncio

from bench.commit_history import Promise
from bench.fault_cases import CASES, Fault, FaultCase
from bench.fault_run import FaultRun
from tests.support.system import System
from tests.support.waiting import eventually

TTLS = Promise(positive=2.0, negative=1.0)
"""Seconds; so short that every entry expires during a fault."""
ROUTES = 300
RATE = 100.0
FAULT_SECONDS = 3.5
CURRENT_SECONDS = 5.0
"""Heartbeats come every 2 s."""


class ResolversUnderLoad:
    """Two instances under load."""

    def __init__(self, run: FaultRun, urls: list[str], http: httpx2.AsyncClient) -> None:
        self.run = run
        self._urls = urls
        self._http = http

    async def are_current(self) -> bool:
        """Whether every instance applies events again. A right answer proves nothing: its entry may just have expired."""
        return all([await self._stream_age(each) < CURRENT_SECONDS for each in self._urls])

    async def _stream_age(self, url: str) -> float:
        lines = (await self._http.get(f"{url}/metrics")).text.splitlines()
        return next(float(each.split()[1]) for each in lines if each.startswith("tm_staleness_bound_seconds "))


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def resolvers(system: System) -> AsyncIterator[ResolversUnderLoad]:
    """Two instances with short TTLs that have loaded every route of a tenant."""
    ttl = {"TM_POSITIVE_TTL_SECONDS": str(TTLS.positive), "TM_NEGATIVE_TTL_SECONDS": str(TTLS.negative)}
    instances = [system.services.add_instance("data_plane", f"under-load-{number}", ttl) for number in (1, 2)]
    tenant = await system.new_tenant()
    base = f"{system.control_url}/api/v1/tenants/{tenant}"
    try:
        for each in instances:
            await each.start()
        async with httpx2.AsyncClient(
            trust_env=False, base_url=base, timeout=10, headers=system.http.headers
        ) as control:
            urls = [each.urls[0] for each in instances]
            run = FaultRun(
                control,
                urls,
                tenant=tenant,
                key=system.services.admin_key.text(),
                routes=ROUTES,
                promise=TTLS,
            )
            await run.prepare()
            yield ResolversUnderLoad(run, urls, system.http)
    finally:
        for each in instances:
            await each.stop()


@pytest.mark.parametrize("case", CASES, ids=str)
async def test_every_known_route_is_answered_within_its_bound_during(
    system: System, resolvers: ResolversUnderLoad, case: FaultCase
) -> None:
    async with resolvers.run.going_on(RATE) as judge:
        await case.happen(system.stack, FAULT_SECONDS)
    await resolvers.run.recover()
    await eventually(resolvers.are_current, within=60)
    assert judge.broken[:10] == []
    if case.server != "postgres":
        assert judge.unknown == 0, "bounds are on the primary's clock, and the primary was up"
    assert judge.statuses.total() >= RATE * FAULT_SECONDS * 0.5, "too little load"
    if case.server == "kafka" and case.fault is not Fault.FLAPPING:
        assert judge.wrong > 0, "no answer was ever stale, so the test proves nothing"
