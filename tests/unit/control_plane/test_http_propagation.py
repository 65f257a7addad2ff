"""GET …/changes/{revision}/propagation, over HTTP, on fakes."""

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
from tests.fakes.control_plane_propagation import FakeDispatches, FakeStatusReports
from tests.support.lifespan import lifespan_of
from tests.support.waiting import eventually

CHANGE = "/tenants/team-a/changes/1/propagation"
LONG = 60.0
"""Seconds that no wait here comes near, unless something is wrong."""

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


async def waiting(client: httpx2.AsyncClient, publications: FakeDispatches) -> "asyncio.Task[httpx2.Response]":
    """A call that waits, and has begun to."""
    looks = publications.looks
    task = asyncio.create_task(client.get(CHANGE, params={"wait": LONG}))

    async def has_looked() -> bool:
        return publications.looks > looks

    await eventually(has_looked)
    return task


def states(answer: httpx2.Response) -> dict[str, str]:
    assert answer.status_code == 200, answer.text
    return {each["instance"]: each["state"] for each in answer.json()["instances"]}


async def test_before_it_is_in_kafka_nobody_has_it(client: httpx2.AsyncClient, reports: FakeStatusReports) -> None:
    reports.tell("a", 999)
    answer = await client.get(CHANGE, params={"wait": 0.05})
    assert (answer.json()["published"], answer.json()["live_everywhere"]) == (False, False)
    assert states(answer) == {"a": "lagging"}


async def test_each_process_is_told_with_how_much_it_lacks(
    client: httpx2.AsyncClient, publications: FakeDispatches, reports: FakeStatusReports
) -> None:
    publications.landed["team-a", 1] = Position(0, 100)
    reports.tell("a", 101)
    reports.tell("b", 98)
    answer = await client.get(CHANGE, params={"wait": 0.05})
    assert states(answer) == {"a": "applied", "b": "lagging"}
    body: dict[str, Any] = answer.json()
    assert [each["lag_records"] for each in body["instances"]] == [0, 3]
    assert [each["lag_seconds"] > 0 for each in body["instances"]] == [False, True]
    assert (body["tenant"], body["revision"], body["published"]) == ("team-a", 1, True)


async def test_the_wait_ends_when_the_last_one_has_applied_it(
    client: httpx2.AsyncClient, publications: FakeDispatches, reports: FakeStatusReports
) -> None:
    reports.tell("a", 101)
    reports.tell("b", 100)
    task = await waiting(client, publications)
    publications.landed["team-a", 1] = Position(0, 100)
    assert states(await client.get(CHANGE, params={"wait": 0.05})) == {"a": "applied", "b": "lagging"}
    assert not task.done()
    reports.tell("b", 101)
    assert states(await task) == {"a": "applied", "b": "applied"}


async def test_the_wait_ends_when_the_last_one_that_lags_withdraws(
    client: httpx2.AsyncClient, publications: FakeDispatches, reports: FakeStatusReports
) -> None:
    publications.landed["team-a", 1] = Position(0, 100)
    reports.tell("a", 101)
    reports.tell("b", 100)
    task = await waiting(client, publications)
    reports.withdraw("b")
    assert states(await task) == {"a": "applied"}


async def test_nobody_waits_in_a_process_that_is_about_to_stop(
    client: httpx2.AsyncClient, health: Health, publications: FakeDispatches, reports: FakeStatusReports
) -> None:
    reports.tell("a", 1)
    task = await waiting(client, publications)
    health.draining = True
    assert states(await task) == {"a": "lagging"}


async def test_who_waits_takes_no_place_from_others_and_is_bounded_by_itself(
    client: httpx2.AsyncClient, publications: FakeDispatches, reports: FakeStatusReports
) -> None:
    tasks = [await waiting(client, publications) for _ in range(3)]
    assert (await client.get("/tenants/team-a")).status_code == 200
    refused = await client.get(CHANGE, params={"wait": LONG})
    assert (refused.status_code, refused.json()["type"]) == (503, "urn:traffic-manager:problem:too-many-waiting")
    assert (await client.get(CHANGE)).status_code == 200
    publications.landed["team-a", 1] = Position(0, 100)
    reports.tell("a", 101)
    assert [(await each).json()["live_everywhere"] for each in tasks] == [True, True, True]


async def test_without_kafka_it_is_said_to_be_unknown(
    client: httpx2.AsyncClient, publications: FakeDispatches, reports: FakeStatusReports
) -> None:
    async def is_unknown() -> httpx2.Response | None:
        answer = await client.get(CHANGE, params={"wait": 0.01})
        return answer if answer.status_code == 503 else None

    reports.tell("a", 101)
    reports.interrupt()
    publications.landed["team-a", 1] = Position(0, 100)
    problem = await eventually(is_unknown)
    assert problem.json()["type"] == "urn:traffic-manager:problem:propagation-unknown"
    assert "It is in Kafka;" in problem.json()["detail"]
    assert problem.headers["Retry-After"] == "1"
    reports.is_down = False
    assert states(await client.get(CHANGE, params={"wait": LONG})) == {"a": "applied"}


@pytest.mark.parametrize("wait", ["-1", "nan", "soon", "3601", ""])
async def test_a_wait_that_is_none_is_refused(client: httpx2.AsyncClient, wait: str) -> None:
    answer = await client.get(CHANGE, params={"wait": wait})
    assert (answer.status_code, answer.json()["errors"][0]["pointer"]) == (400, "/wait")


@pytest.mark.parametrize(
    ("path", "slug"),
    [
        ("team-a/changes/2", "no-such-revision"),
        ("team-a/changes/0", "no-such-revision"),
        ("x/changes/1", "no-such-tenant"),
    ],
)
async def test_what_was_never_committed_is_absent(client: httpx2.AsyncClient, path: str, slug: str) -> None:
    answer = await client.get(f"/tenants/{path}/propagation", params={"wait": LONG})
    assert (answer.status_code, answer.json()["type"]) == (404, f"urn:traffic-manager:problem:{slug}")


@pytest.mark.parametrize("longest", [0.05])
async def test_a_wait_is_cut_to_what_the_settings_allow(client: httpx2.AsyncClient, reports: FakeStatusReports) -> None:
    reports.tell("a", 1)
    async with asyncio.timeout(LONG / 2):
        assert states(await client.get(CHANGE, params={"wait": 3600})) == {"a": "lagging"}
