"""Tenants over HTTP."""

import httpx2

from shared.runtime.resilience import DependencyUnavailable
from tests.fakes.control_plane_registry import FakeRegistry


async def test_creating_a_tenant_twice_gives_the_same_tenant(client: httpx2.AsyncClient) -> None:
    first = await client.put("/tenants/team-a")
    second = await client.put("/tenants/team-a", content=b"{}")
    assert (first.status_code, second.status_code) == (201, 200)
    assert first.json() == second.json() == (await client.get("/tenants/team-a")).json()
    assert first.json() == {"tenant": "team-a", "revision": 0, "created_at": "2026-01-01T00:00:01Z"}


async def test_an_unknown_tenant_is_a_404_that_says_how_to_create_it(client: httpx2.AsyncClient) -> None:
    answer = await client.get("/tenants/team-a")
    assert answer.status_code == 404
    assert answer.headers["content-type"] == "application/problem+json"
    assert "PUT /api/v1/tenants/team-a" in answer.json()["detail"]
    assert answer.json()["correlation_id"] == answer.headers["X-Correlation-ID"]


async def test_a_bad_name_or_an_unexpected_body_is_refused(client: httpx2.AsyncClient) -> None:
    answer = await client.put("/tenants/Team", content=b'{"plan": "gold"}')
    assert answer.status_code == 400
    assert [each["pointer"] for each in answer.json()["errors"]] == ["/tenant", "/plan"]


async def test_tenants_are_listed_in_pages(client: httpx2.AsyncClient) -> None:
    for name in ("c", "a", "b"):
        await client.put(f"/tenants/{name}")
    first = (await client.get("/tenants", params={"limit": 2})).json()
    assert [each["tenant"] for each in first["tenants"]] == ["a", "b"]
    second = (await client.get("/tenants", params={"limit": 2, "cursor": first["next_cursor"]})).json()
    assert [each["tenant"] for each in second["tenants"]] == ["c"]
    assert second["next_cursor"] is None
    assert (await client.get("/tenants", params={"limit": 3})).json()["next_cursor"] is None


async def test_every_wrong_parameter_of_the_list_is_named(client: httpx2.AsyncClient) -> None:
    answer = await client.get("/tenants", params={"limit": "0", "cursor": "*", "page": "2"})
    assert answer.status_code == 400
    assert {each["pointer"] for each in answer.json()["errors"]} == {"/limit", "/cursor", "/page"}


async def test_without_the_database_the_answer_is_503_and_says_when_to_try_again(
    client: httpx2.AsyncClient, registry: FakeRegistry
) -> None:
    registry.failure = DependencyUnavailable("postgres", "connection refused")
    for answer in (
        await client.put("/tenants/team-a"),
        await client.get("/tenants/team-a"),
        await client.get("/tenants"),
    ):
        assert answer.status_code == 503
        assert answer.headers["Retry-After"] == "1"
