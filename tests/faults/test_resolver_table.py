"""The table of what the resolver survives, row by row: under load, every answer squared with the history of commits.

The full load, with the lives of production, is `python -m bench.faults`.
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

LIVES = Promise(positive=2.0, negative=1.0)
"""Seconds; so short that every entry outlives itself while a fault lasts."""
ROUTES = 300
RATE = 100.0
FAULT_SECONDS = 3.5
HEARD_SECONDS = 5.0
"""Heartbeats come every 2 s."""


class Survivors:
    """Two instances under load, and what they say of the events."""

    def __init__(self, run: FaultRun, urls: list[str], http: httpx2.AsyncClient) -> None:
        self.run = run
        self._urls = urls
        self._http = http

    async def hear_everything(self) -> bool:
        """Whether every instance hears of changes again: what it answers may also be right because it has expired."""
        return all([await self._heard_ago(each) < HEARD_SECONDS for each in self._urls])

    async def _heard_ago(self, url: str) -> float:
        lines = (await self._http.get(f"{url}/metrics")).text.splitlines()
        return next(float(each.split()[1]) for each in lines if each.startswith("tm_staleness_bound_seconds "))


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def survivors(system: System) -> AsyncIterator[Survivors]:
    """Two instances with short lives, that know every route of a tenant."""
    lives = {"TM_POSITIVE_TTL_SECONDS": str(LIVES.positive), "TM_NEGATIVE_TTL_SECONDS": str(LIVES.negative)}
    instances = [system.services.another("data_plane", f"survivor-{number}", lives) for number in (1, 2)]
    tenant = await system.new_tenant()
    base = f"{system.control_url}/api/v1/tenants/{tenant}"
    try:
        for each in instances:
            await each.start()
        async with httpx2.AsyncClient(base_url=base, timeout=10, headers=system.http.headers) as control:
            urls = [each.urls[0] for each in instances]
            run = FaultRun(
                control,
                urls,
                tenant=tenant,
                key=system.services.admin_key.text(),
                routes=ROUTES,
                promise=LIVES,
            )
            await run.prepare()
            yield Survivors(run, urls, system.http)
    finally:
        for each in instances:
            await each.stop()


@pytest.mark.parametrize("case", CASES, ids=str)
async def test_every_known_route_is_answered_and_no_promise_broken_while(
    system: System, survivors: Survivors, case: FaultCase
) -> None:
    async with survivors.run.going_on(RATE) as judge:
        await case.happen(system.stack, FAULT_SECONDS)
    await survivors.run.recover()
    await eventually(survivors.hear_everything, within=60)
    assert judge.broken[:10] == []
    if case.server != "postgres":
        assert judge.unknown == 0, "the primary, whose time bounds are counted in, was there all the time"
    assert judge.statuses.total() >= RATE * FAULT_SECONDS * 0.5, "no load to speak of"
    if case.server == "kafka" and case.fault is not Fault.FLAPPING:
        assert judge.wrong > 0, "nothing was ever out of date, so that nothing was proven"
