"""The parts of a service that `build_application` adds: problems, probes, correlation ids, metrics and OpenAPI."""

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import httpx2
import pytest
from litestar import get, put
from litestar.params import FromPath, FromQuery

from shared.runtime.access.open_access import OpenAccess
from shared.runtime.health import DependencyHealth, Health
from shared.runtime.http.application import build_application
from shared.runtime.http.problems import ProblemType
from shared.runtime.http.telemetry import TelemetryMiddleware
from shared.runtime.metrics import Metrics
from shared.runtime.resilience import DependencyUnavailable
from shared.runtime.service import Service
from shared.schemas.validation import FieldError, InvalidInput


class RouteConflict(Exception):
    pass


@get("/fails/{how:str}", opt={"operation": "tenants.list"})
async def fails(how: FromPath[str]) -> None:
    errors: dict[str, Exception] = {
        "conflict": RouteConflict("a:b:c:d is taken"),
        "input": InvalidInput((FieldError("/url", "is empty"), FieldError("/reason", "is too long"))),
        "unavailable": DependencyUnavailable("redis", "refused by 10.1.2.3"),
        "bug": RuntimeError("password=hunter2"),
    }
    raise errors[how]


@put("/items/{name:str}", opt={"operation": "tenants.list"})
async def item(name: FromPath[str], limit: FromQuery[int]) -> dict[str, str]:
    return {"name": name * limit}


@asynccontextmanager
async def client_of(health: Health) -> AsyncIterator[tuple[httpx2.AsyncClient, TelemetryMiddleware]]:
    app = build_application(
        title="Test",
        description="A service with three ways to fail.",
        handlers=[fails, item],
        problem_types={RouteConflict: ProblemType(409, "conflict", "Taken")},
        health=health,
        metrics=Metrics(Service.CONTROL_PLANE),
        authenticator=OpenAccess(),
    )
    transport = httpx2.ASGITransport(app=app, raise_app_exceptions=False)  # type: ignore[arg-type]
    async with httpx2.AsyncClient(transport=transport, base_url="http://test") as client:
        yield client, app


@pytest.fixture
async def client() -> AsyncIterator[httpx2.AsyncClient]:
    async with client_of(Health({}, started=True)) as (client, _):
        yield client


@pytest.mark.parametrize(
    ("path", "status", "slug"),
    [
        ("/fails/conflict", 409, "conflict"),
        ("/fails/input", 400, "invalid-input"),
        ("/fails/unavailable", 503, "dependency-unavailable"),
        ("/fails/bug", 500, "internal-error"),
        ("/no-such-path", 404, "no-such-path"),
    ],
)
async def test_every_error_is_a_problem_with_the_correlation_id(
    client: httpx2.AsyncClient, path: str, status: int, slug: str
) -> None:
    response = await client.get(path, headers={"X-Correlation-ID": "abc-1"})
    problem = response.json()
    assert (response.status_code, response.headers["content-type"]) == (status, "application/problem+json")
    assert problem["type"] == f"urn:traffic-manager:problem:{slug}"
    assert problem["correlation_id"] == response.headers["x-correlation-id"] == "abc-1"


async def test_response_to_an_unexpected_error_does_not_contain_its_message(client: httpx2.AsyncClient) -> None:
    response = await client.get("/fails/bug")
    assert "hunter2" not in response.text
    assert "Traceback" not in response.text


async def test_unavailable_dependency_is_named_without_its_address(client: httpx2.AsyncClient) -> None:
    detail = (await client.get("/fails/unavailable")).json()["detail"]
    assert "redis does not respond" in detail
    assert "10.1.2.3" not in detail


async def test_invalid_input_lists_every_wrong_field(client: httpx2.AsyncClient) -> None:
    errors = (await client.get("/fails/input")).json()["errors"]
    assert errors == [
        {"pointer": "/url", "detail": "is empty"},
        {"pointer": "/reason", "detail": "is too long"},
    ]


async def test_unavailable_dependency_has_retry_after(client: httpx2.AsyncClient) -> None:
    assert (await client.get("/fails/unavailable")).headers["retry-after"] == "1"


async def test_invalid_parameter_is_named_in_the_problem(client: httpx2.AsyncClient) -> None:
    response = await client.put("/items/a?limit=many")
    assert response.status_code == 400
    assert [error["pointer"] for error in response.json()["errors"]] == ["/limit"]


@pytest.mark.parametrize("correlation_id", ["", "a b", "x" * 129, "ä"])
async def test_unusable_correlation_id_is_replaced(client: httpx2.AsyncClient, correlation_id: str) -> None:
    response = await client.get("/health/live", headers=[(b"X-Correlation-ID", correlation_id.encode())])
    assert response.headers["x-correlation-id"].startswith("req-")


async def test_liveness_does_not_depend_on_dependencies() -> None:
    health = Health({"postgres": DependencyHealth(required=True, up=False)}, started=True)
    async with client_of(health) as (client, _):
        assert (await client.get("/health/live")).status_code == 200
        assert (await client.get("/health/ready")).status_code == 503


async def test_readiness_lists_each_dependency_without_addresses_and_logins() -> None:
    redis = DependencyHealth(required=False)
    redis.mark_down("cannot connect to redis://cache@10.0.0.7:6379 as cache")
    health = Health({"redis": redis, "kafka": DependencyHealth(True, True)}, started=True)
    async with client_of(health) as (client, _):
        response = await client.get("/health/ready")
    assert response.status_code == 200
    assert response.json()["dependencies"]["redis"] == {
        "state": "down",
        "required": False,
        "detail": "not answering; the log says why",
    }


async def test_draining_service_is_not_ready_and_closes_kept_alive_connections() -> None:
    health = Health({}, started=True, draining=True)
    async with client_of(health) as (client, _):
        response = await client.get("/health/ready")
    assert (response.status_code, response.headers["connection"]) == (503, "close")


async def test_requests_are_counted_by_template_and_status(client: httpx2.AsyncClient) -> None:
    await client.get("/fails/conflict")
    await client.get("/no/such/path")
    text = (await client.get("/metrics")).text
    assert 'tm_http_requests_total{code="409",method="GET",route="/fails/{how}"} 1.0' in text
    assert 'tm_http_requests_total{code="404",method="GET",route="unmatched"} 1.0' in text


async def test_openapi_document_is_served(client: httpx2.AsyncClient) -> None:
    document = json.loads((await client.get("/schema/openapi.json")).text)
    assert "/items/{name}" in document["paths"]
    assert (await client.get("/schema")).status_code == 200
