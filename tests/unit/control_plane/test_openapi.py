"""The control API's OpenAPI document."""

from typing import Any

import httpx2
import pytest_asyncio


@pytest_asyncio.fixture(loop_scope="session")
async def operations(client: httpx2.AsyncClient) -> dict[str, dict[str, Any]]:
    schema = (await client.get("http://test/schema/openapi.json")).json()
    return {
        f"{method.upper()} {path}": operation
        for path, methods in schema["paths"].items()
        for method, operation in methods.items()
        if path.startswith("/api/")
    }


async def test_documentation_page_is_served(client: httpx2.AsyncClient) -> None:
    response = await client.get("http://test/schema")
    assert (response.status_code, response.headers["content-type"].split(";")[0]) == (200, "text/html")


async def test_every_operation_has_a_tag_a_summary_examples_and_its_problems(
    operations: dict[str, dict[str, Any]],
) -> None:
    assert operations
    for name, operation in operations.items():
        assert operation["tags"], name
        assert operation["summary"], name
        assert {"400", "503"} <= set(operation["responses"]), name
        for status, response in operation["responses"].items():
            if status == "204":
                continue
            ((media_type, content),) = response["content"].items()
            assert media_type == ("application/json" if status < "300" else "application/problem+json"), (name, status)
            assert status >= "300" or content["examples"], (name, status)


async def test_every_change_documents_its_body(operations: dict[str, dict[str, Any]]) -> None:
    changes = {name: operation for name, operation in operations.items() if "requestBody" in operation}
    assert {name.split()[0] for name in changes} == {"PUT", "POST", "DELETE"}
    for name, operation in changes.items():
        content = operation["requestBody"]["content"]["application/json"]
        assert content["examples"], name
        assert content["schema"]["type"] == "object", name


async def test_list_documents_its_parameters(operations: dict[str, dict[str, Any]]) -> None:
    parameters = {each["name"]: each for each in operations["GET /api/v1/tenants/{tenant}/routes"]["parameters"]}
    assert set(parameters) == {"tenant", "service", "env", "version", "active", "at_revision", "limit", "cursor"}
    assert parameters["limit"]["schema"] == {
        "description": "Maximum number of items on the page.",
        "type": "integer",
        "minimum": 1,
        "maximum": 1000,
        "default": 100,
    }


async def test_x_headers_of_responses_are_documented(
    client: httpx2.AsyncClient, operations: dict[str, dict[str, Any]]
) -> None:
    listed = {
        (name, status): {each for each in response.get("headers", {}) if each.startswith("X-")}
        for name, operation in operations.items()
        for status, response in operation["responses"].items()
    }
    route, body = "/tenants/team-a/routes/payments/prod/v1", {"url": "https://v1.example.com", "reason": "test"}
    requests = [
        ("PUT", "/tenants/{tenant}", "/tenants/team-a", {}, 201),
        ("PUT", "/tenants/{tenant}/routes/{service}/{env}/{version}", route, body, 201),
        ("PUT", "/tenants/{tenant}/routes/{service}/{env}/{version}", route, body, 200),
        ("GET", "/tenants/{tenant}/routes/{service}/{env}/{version}", route, None, 200),
        ("DELETE", "/tenants/{tenant}/routes/{service}/{env}/{version}", route, {"reason": "test"}, 200),
        ("POST", "/tenants/{tenant}/changes/{revision}/revert", "/tenants/team-a/changes/2/revert", {}, 200),
        ("GET", "/tenants/{tenant}/routes/{service}/{env}/{version}", f"{route}-none", None, 404),
    ]
    for method, name, path, json, status in requests:
        response = await client.request(method, f"http://test/api/v1{path}", json=json)
        assert response.status_code == status, response.text
        sent = {each.lower() for each in response.headers if each.lower().startswith("x-")}
        assert sent == {each.lower() for each in listed[f"{method} /api/v1{name}", str(status)]}, (method, path)
