"""The control API's propagation of a change set, on fakes."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import httpx2
import pytest
import pytest_asyncio

from control_plane.domain.propagation import Position
from control_plane.settings import ControlPlaneSettings
from shared.runtime.health import Health
from shared.runtime.http.telemetry import TelemetryMiddleware
from tests.fakes.control_plane_propagation import FakePublications, FakeStatusReports
from tests.support.lifespan import lifespan_of
from tests.support.waiting import eventually

CHANGE = "/tenants/team-a/changes/1/propagation"
LONG = 60.0
"""Seconds; longer than any wait of these tests."""

pytestmark = pytest.mark.usefixtures("one_change")


@pytest.fixture
def longest() -> float:
    return LONG


@pytest.fixture
def settings(longest: float) -> ControlPlaneSettings:
    return ControlPlaneSettings(
        max_concurrent_requests=2, propagation_wait_seconds=longest, max_concurrent_propagation_waits=3
    )


@pytest_asyncio.fixture(loop_scope="session")
async def one_change(client: httpx2.AsyncClient, app: TelemetryMiddleware) -> AsyncIterator[None]:
    """A tenant with one change set, which the relay has not published."""
    async with lifespan_of(app):
        await client.put("/tenants/team-a")
        path = "/tenants/team-a/routes/payments/prod/v1"
        assert (await client.put(path, json={"url": "http://one"})).status_code == 201
        await eventually(lambda: _is_known(client))
        yield


async def _is_known(client: httpx2.AsyncClient) -> bool:
    return (await client.get(CHANGE)).status_code == 200


async def waiting(client: httpx2.AsyncClient, publications: FakePublications) -> "asyncio.Task[httpx2.Response]":
    """A request that is waiting."""
    looks = publications.looks
    task = asyncio.create_task(client.get(CHANGE, params={"wait": LONG}))

    async def has_looked() -> bool:
        return publications.looks > looks

    await eventually(has_looked)
    return task


def states(response: httpx2.Response) -> dict[str, str]:
    assert response.status_code == 200, response.text
    return {each["instance"]: each["state"] for each in response.json()["instances"]}


async def test_unpublished_change_set_lags_in_every_process(
    client: httpx2.AsyncClient, reports: FakeStatusReports
) -> None:
    reports.report("a", 999)
    response = await client.get(CHANGE, params={"wait": 0.05})
    assert (response.json()["published"], response.json()["live_everywhere"]) == (False, False)
    assert states(response) == {"a": "lagging"}


async def test_each_process_is_listed_with_its_lag(
    client: httpx2.AsyncClient, publications: FakePublications, reports: FakeStatusReports
) -> None:
    publications.positions["team-a", 1] = Position(0, 100)
    reports.report("a", 101)
    reports.report("b", 98)
    response = await client.get(CHANGE, params={"wait": 0.05})
    assert states(response) == {"a": "applied", "b": "lagging"}
    body: dict[str, Any] = response.json()
    assert [each["lag_records"] for each in body["instances"]] == [0, 3]
    assert [each["lag_seconds"] > 0 for each in body["instances"]] == [False, True]
    assert (body["tenant"], body["revision"], body["published"]) == ("team-a", 1, True)


async def test_wait_ends_when_the_last_process_has_applied_the_change_set(
    client: httpx2.AsyncClient, publications: FakePublications, reports: FakeStatusReports
) -> None:
    reports.report("a", 101)
    reports.report("b", 100)
    task = await waiting(client, publications)
    publications.positions["team-a", 1] = Position(0, 100)
    assert states(await client.get(CHANGE, params={"wait": 0.05})) == {"a": "applied", "b": "lagging"}
    assert not task.done()
    reports.report("b", 101)
    assert states(await task) == {"a": "applied", "b": "applied"}


async def test_wait_ends_when_the_last_lagging_process_withdraws(
    client: httpx2.AsyncClient, publications: FakePublications, reports: FakeStatusReports
) -> None:
    publications.positions["team-a", 1] = Position(0, 100)
    reports.report("a", 101)
    reports.report("b", 100)
    task = await waiting(client, publications)
    reports.withdraw("b")
    assert states(await task) == {"a": "applied"}


async def test_wait_ends_when_the_control_plane_drains(
    client: httpx2.AsyncClient, health: Health, publications: FakePublications, reports: FakeStatusReports
) -> None:
    reports.report("a", 1)
    task = await waiting(client, publications)
    health.draining = True
    assert states(await task) == {"a": "lagging"}


async def test_waiting_requests_hold_no_slot_and_have_their_own_limit(
    client: httpx2.AsyncClient, publications: FakePublications, reports: FakeStatusReports
) -> None:
    tasks = [await waiting(client, publications) for _ in range(3)]
    assert (await client.get("/tenants/team-a")).status_code == 200
    refused = await client.get(CHANGE, params={"wait": LONG})
    assert (refused.status_code, refused.json()["type"]) == (503, "urn:traffic-manager:problem:too-many-waiting")
    assert (await client.get(CHANGE)).status_code == 200
    publications.positions["team-a", 1] = Position(0, 100)
    reports.report("a", 101)
    assert [(await each).json()["live_everywhere"] for each in tasks] == [True, True, True]


async def test_propagation_is_unknown_without_reports(
    client: httpx2.AsyncClient, publications: FakePublications, reports: FakeStatusReports
) -> None:
    async def is_unknown() -> httpx2.Response | None:
        response = await client.get(CHANGE, params={"wait": 0.01})
        return response if response.status_code == 503 else None

    reports.report("a", 101)
    reports.interrupt()
    publications.positions["team-a", 1] = Position(0, 100)
    problem = await eventually(is_unknown)
    assert problem.json()["type"] == "urn:traffic-manager:problem:propagation-unknown"
    assert "It is in Kafka;" in problem.json()["detail"]
    assert problem.headers["Retry-After"] == "1"
    reports.is_down = False
    assert states(await client.get(CHANGE, params={"wait": LONG})) == {"a": "applied"}


@pytest.mark.parametrize("wait", ["-1", "nan", "soon", "3601", ""])
async def test_invalid_wait_is_refused(client: httpx2.AsyncClient, wait: str) -> None:
    response = await client.get(CHANGE, params={"wait": wait})
    assert (response.status_code, response.json()["errors"][0]["pointer"]) == (400, "/wait")


@pytest.mark.parametrize(
    ("path", "slug"),
    [
        ("team-a/changes/2", "no-such-revision"),
        ("team-a/changes/0", "no-such-revision"),
        ("x/changes/1", "no-such-tenant"),
    ],
)
async def test_change_set_that_was_never_committed_is_not_found(
    client: httpx2.AsyncClient, path: str, slug: str
) -> None:
    response = await client.get(f"/tenants/{path}/propagation", params={"wait": LONG})
    assert (response.status_code, response.json()["type"]) == (404, f"urn:traffic-manager:problem:{slug}")


@pytest.mark.parametrize("longest", [0.05])
async def test_wait_is_limited_by_the_setting(client: httpx2.AsyncClient, reports: FakeStatusReports) -> None:
    reports.report("a", 1)
    async with asyncio.timeout(LONG / 2):
        assert states(await client.get(CHANGE, params={"wait": 3600})) == {"a": "lagging"}


class TestPlacesOfTenants:
    """Waiting places that one tenant fills."""

    @pytest.fixture
    def settings(self) -> ControlPlaneSettings:
        return ControlPlaneSettings(propagation_wait_seconds=LONG, max_concurrent_propagation_waits=20)

    async def test_tenant_that_fills_its_waiting_places_leaves_some_to_others(
        self, client: httpx2.AsyncClient, publications: FakePublications
    ) -> None:
        tasks = [await waiting(client, publications) for _ in range(18)]
        refused = await client.get(CHANGE, params={"wait": LONG})
        assert (refused.status_code, refused.headers["Retry-After"]) == (429, "1")
        assert refused.json()["type"] == "urn:traffic-manager:problem:too-many-waiting"
        assert (await client.get(CHANGE)).status_code == 200
        other = await client.get("/tenants/team-b/changes/1/propagation", params={"wait": LONG})
        assert other.status_code == 404
        for task in tasks:
            task.cancel()
