"""`release_slot`: a waiting request is not counted as concurrent, and has its own deadline."""

import asyncio
from functools import partial

import httpx2
from litestar import get

from shared.runtime.access.open_access import OpenAccess
from shared.runtime.health import Health
from shared.runtime.http.application import build_application
from shared.runtime.http.request_limits import RequestLimits, release_slot
from shared.runtime.metrics import Metrics
from shared.runtime.service import Service
from tests.support.waiting import eventually

OPEN = {"operation": "tenants.list"}


async def test_released_requests_do_not_count_and_outlive_the_default_deadline() -> None:
    released, waiting = asyncio.Event(), 0

    @get("/long-poll", opt=OPEN)
    async def long_poll() -> str:
        nonlocal waiting
        release_slot(60)
        waiting += 1
        await released.wait()
        return "done"

    @get("/quick", opt=OPEN)
    async def quick() -> str:
        return "done"

    async def has_waiting(number: int) -> bool:
        return waiting == number

    app = build_application(
        title="Test",
        description="A service with a handler that waits.",
        handlers=[long_poll, quick],
        problem_types={},
        health=Health({}, started=True),
        metrics=Metrics(Service.CONTROL_PLANE),
        authenticator=OpenAccess(),
        limits=RequestLimits(deadline_seconds=0.2, max_concurrent_requests=1),
    )
    transport = httpx2.ASGITransport(app=app)  # type: ignore[arg-type]
    async with httpx2.AsyncClient(transport=transport, base_url="http://test") as client:
        tasks = []
        for number in range(1, 4):
            tasks.append(asyncio.create_task(client.get("/long-poll")))
            await eventually(partial(has_waiting, number))
        await asyncio.sleep(0.3)  # past the default deadline
        assert (await client.get("/quick")).status_code == 200
        released.set()
        assert [(await each).status_code for each in tasks] == [200, 200, 200]
        assert (await client.get("/quick")).status_code == 200
