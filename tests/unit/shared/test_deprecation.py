"""A deprecated operation: its dates in every response and in the OpenAPI document, and no trace of them elsewhere."""

from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta

import httpx2
import pytest
from litestar import get, put
from litestar.params import FromPath

from shared.runtime.access.open_access import OpenAccess
from shared.runtime.health import Health
from shared.runtime.http.application import build_application
from shared.runtime.http.deprecation import DEPRECATIONS, Deprecation, deprecation_headers
from shared.runtime.metrics import Metrics
from shared.runtime.service import Service
from shared.schemas.validation import FieldError, InvalidInput
from tests.support.service_apps import endpoints

SINCE = datetime(2027, 1, 1, tzinfo=UTC)
OLD = Deprecation(SINCE, datetime(2028, 1, 15, 12, tzinfo=UTC), "https://docs.example.com/changes/old")
EXPECTED = {
    "deprecation": "@1798761600",
    "sunset": "Sat, 15 Jan 2028 12:00:00 GMT",
    "link": '<https://docs.example.com/changes/old>; rel="deprecation"; type="text/html"',
}
A_YEAR = timedelta(days=365)


@get("/api/v1/old/{name:str}", opt={"operation": "tenants.list"})
async def old(name: FromPath[str]) -> str:
    if name == "wrong":
        raise InvalidInput((FieldError("/name", "is wrong"),))
    return name


@put("/api/v1/old/{name:str}", opt={"operation": "tenants.list"})
async def current(name: FromPath[str]) -> str:
    return name


@pytest.fixture
async def client() -> AsyncIterator[httpx2.AsyncClient]:
    app = build_application(
        title="Test",
        description="A service with a deprecated operation.",
        handlers=[old, current],
        problem_types={},
        health=Health({}, started=True),
        metrics=Metrics(Service.CONTROL_PLANE),
        authenticator=OpenAccess(),
        deprecations={"GET /api/v1/old/{name}": OLD},
    )
    transport = httpx2.ASGITransport(app=app, raise_app_exceptions=False)  # type: ignore[arg-type]
    async with httpx2.AsyncClient(transport=transport, base_url="http://test") as client:
        yield client


def dates(response: httpx2.Response) -> dict[str, str]:
    return {name: response.headers[name] for name in EXPECTED if name in response.headers}


@pytest.mark.parametrize(("method", "name", "status"), [("GET", "a", 200), ("HEAD", "a", 200), ("GET", "wrong", 400)])
async def test_every_response_of_a_deprecated_operation_has_the_dates(
    client: httpx2.AsyncClient, method: str, name: str, status: int
) -> None:
    response = await client.request(method, f"/api/v1/old/{name}")
    assert (response.status_code, dates(response)) == (status, EXPECTED)


@pytest.mark.parametrize(("method", "path"), [("PUT", "/api/v1/old/a"), ("GET", "/health/live"), ("GET", "/none")])
async def test_other_operations_have_no_dates(client: httpx2.AsyncClient, method: str, path: str) -> None:
    assert dates(await client.request(method, path)) == {}


async def test_document_marks_the_deprecated_operation_alone(client: httpx2.AsyncClient) -> None:
    operations = (await client.get("/schema/openapi.json")).json()["paths"]["/api/v1/old/{name}"]
    assert operations["get"]["deprecated"] is True
    for response in operations["get"]["responses"].values():
        assert {"Deprecation", "Sunset", "Link"} <= set(response["headers"])
    assert operations["put"]["deprecated"] is False
    assert not {"Deprecation", "Sunset"} & set(operations["put"]["responses"]["200"]["headers"])


def test_fast_path_sends_the_same_headers_as_the_application() -> None:
    operation = "GET /api/v1/resolve"
    sent = {name.decode(): value.decode() for name, value in deprecation_headers(operation, {operation: OLD})}
    assert sent == EXPECTED
    assert deprecation_headers("GET /api/v1/other", {operation: OLD}) == ()


def test_sunset_is_after_the_deprecation() -> None:
    with pytest.raises(ValueError, match="must be after"):
        Deprecation(SINCE, SINCE, "https://docs.example.com")


def test_table_names_operations_that_exist_and_gives_their_callers_a_year() -> None:
    existing = {str(each) for each in endpoints()}
    assert set(DEPRECATIONS) <= existing
    assert all(each.sunset - each.since >= A_YEAR for each in DEPRECATIONS.values())
