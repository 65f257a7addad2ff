"""The control API's tenants."""

import httpx2

from shared.runtime.resilience import DependencyUnavailable
from tests.fakes.control_plane_registry import FakeRegistry


async def test_creating_a_tenant_is_idempotent(client: httpx2.AsyncClient) -> None:
    first = await client.put("/tenants/team-a")
    second = await client.put("/tenants/team-a", content=b"{}")
    assert (first.status_code, second.status_code) == (201, 200)
    assert first.json() == second.json() == (await client.get("/tenants/team-a")).json()
    assert first.json() == {"tenant": "team-a", "revision": 0, "created_at": "2026-01-01T00:00:01Z"}


async def test_unknown_tenant_is_not_found_and_the_detail_says_how_to_create_it(client: httpx2.AsyncClient) -> None:
    response = await client.get("/tenants/team-a")
    assert response.status_code == 404
    assert response.headers["content-type"] == "application/problem+json"
    assert "PUT /api/v1/tenants/team-a" in response.json()["detail"]
    assert response.json()["correlation_id"] == response.headers["X-Correlation-ID"]


async def test_invalid_name_and_unexpected_body_are_refused(client: httpx2.AsyncClient) -> None:
    response = await client.put("/tenants/Team", content=b'{"plan": "gold"}')
    assert response.status_code == 400
    assert [each["pointer"] for each in response.json()["errors"]] == ["/tenant", "/plan"]


async def test_tenants_are_listed_in_pages(client: httpx2.AsyncClient) -> None:
    for name in ("c", "a", "b"):
        await client.put(f"/tenants/{name}")
    first = (await client.get("/tenants", params={"limit": 2})).json()
    assert [each["tenant"] for each in first["tenants"]] == ["a", "b"]
    second = (await client.get("/tenants", params={"limit": 2, "cursor": first["next_cursor"]})).json()
    assert [each["tenant"] for each in second["tenants"]] == ["c"]
    assert second["next_cursor"] is None
    assert (await client.get("/tenants", params={"limit": 3})).json()["next_cursor"] is None


async def test_every_wrong_parameter_of_the_list_is_reported(client: httpx2.AsyncClient) -> None:
    response = await client.get("/tenants", params={"limit": "0", "cursor": "*", "page": "2"})
    assert response.status_code == 400
    assert {each["pointer"] for each in response.json()["errors"]} == {"/limit", "/cursor", "/page"}


async def test_unavailable_database_is_a_503_with_retry_after(
    client: httpx2.AsyncClient, registry: FakeRegistry
) -> None:
    registry.failure = DependencyUnavailable("postgres", "connection refused")
    for response in (
        await client.put("/tenants/team-a"),
        await client.get("/tenants/team-a"),
        await client.get("/tenants"),
    ):
        assert response.status_code == 503
        assert response.headers["Retry-After"] == "1"
