"""The control API's routes."""

from typing import Any

import httpx2
import pytest

from control_plane.errors import TenantBusy
from control_plane.settings import ControlPlaneSettings
from tests.fakes.control_plane_registry import FakeRegistry

ROUTE = "/tenants/team-a/routes/payments/prod/v1"

pytestmark = pytest.mark.usefixtures("team_a")


async def test_route_is_created_then_updated(client: httpx2.AsyncClient) -> None:
    created = await client.put(ROUTE, json={"url": "https://one.example/"})
    assert created.status_code == 201
    assert created.headers["ETag"] == '"1"'
    assert created.json() == {
        "tenant": "team-a",
        "service": "payments",
        "env": "prod",
        "version": "v1",
        "url": "https://one.example/",
        "is_active": True,
        "revision": 1,
        "created_at": "2026-01-01T00:00:02Z",
        "updated_at": "2026-01-01T00:00:02Z",
    }
    updated = await client.put(ROUTE, json={"url": "https://two.example/"})
    assert updated.status_code == 200
    assert updated.headers["ETag"] == '"2"'
    current = await client.get(ROUTE)
    assert (current.json(), current.headers["ETag"]) == (updated.json(), '"2"')


@pytest.mark.parametrize("method", ["PUT", "activate", "deactivate", "DELETE"])
async def test_repeated_request_gets_the_same_response_and_takes_one_revision(
    client: httpx2.AsyncClient, registry: FakeRegistry, method: str
) -> None:
    async def call() -> httpx2.Response:
        if method == "PUT":
            return await client.put(ROUTE, json={"url": "https://two.example/", "is_active": False})
        return await (client.delete(ROUTE) if method == "DELETE" else client.post(f"{ROUTE}/{method}"))

    await client.put(ROUTE, json={"url": "https://one.example/", "is_active": method == "deactivate"})
    first = await call()
    before = len(registry.committed)
    second = await call()
    assert (first.status_code, first.json()) == (second.status_code, second.json())
    assert first.headers["ETag"] == second.headers["ETag"]
    assert len(registry.committed) == before


async def test_inactive_route_is_shown_and_put_activates_it(client: httpx2.AsyncClient) -> None:
    await client.put(ROUTE, json={"url": "https://one.example/"})
    assert (await client.delete(ROUTE)).json()["is_active"] is False
    assert (await client.get(ROUTE)).json()["is_active"] is False
    assert (await client.put(ROUTE, json={"url": "https://one.example/"})).json()["is_active"] is True


async def test_activate_and_deactivate_keep_the_url(client: httpx2.AsyncClient) -> None:
    await client.put(ROUTE, json={"url": "https://one.example/"})
    off = await client.post(f"{ROUTE}/deactivate", json={"reason": "maintenance"})
    on = await client.post(f"{ROUTE}/activate")
    assert (off.json()["is_active"], off.json()["url"]) == (False, "https://one.example/")
    assert (on.json()["is_active"], on.json()["url"], on.headers["ETag"]) == (True, "https://one.example/", '"3"')


@pytest.mark.parametrize(("method", "path"), [("GET", ROUTE), ("DELETE", ROUTE), ("POST", f"{ROUTE}/activate")])
async def test_route_that_was_never_created_is_not_found(client: httpx2.AsyncClient, method: str, path: str) -> None:
    response = await client.request(method, path)
    assert response.status_code == 404
    assert "team-a:payments:prod:v1" in response.json()["detail"]


@pytest.mark.parametrize(("method", "rest"), [("GET", ""), ("PUT", "/a/b/c"), ("GET", "/a/b/c"), ("DELETE", "/a/b/c")])
async def test_unknown_tenant_is_not_found_and_the_detail_says_how_to_create_it(
    client: httpx2.AsyncClient, method: str, rest: str
) -> None:
    body = {"url": "https://one.example/"} if method == "PUT" else None
    response = await client.request(method, f"/tenants/team-b/routes{rest}", json=body)
    assert response.status_code == 404
    assert "PUT /api/v1/tenants/team-b" in response.json()["detail"]


async def test_every_wrong_part_of_a_put_is_reported_at_once(client: httpx2.AsyncClient) -> None:
    response = await client.put(
        "/tenants/Team/routes/pay ments/PROD/-v",
        json={"url": "ftp://x", "is_active": "yes", "reason": "x" * 501, "colour": "red"},
    )
    assert response.status_code == 400
    errors = {each["pointer"]: each["detail"] for each in response.json()["errors"]}
    expected = ["/tenant", "/service", "/env", "/version", "/url", "/is_active", "/reason", "/colour"]
    assert sorted(errors) == sorted(expected)
    assert "http:// or https://" in errors["/url"]


@pytest.mark.parametrize(
    ("body", "pointer"),
    [
        (b"", ""),
        (b"{", ""),
        (b"[]", ""),
        (b"\xff", ""),
        (b"{}", "/url"),
        (b'{"url": null}', "/url"),
        (b'{"url": "https://one.example/", "reason": "\\u0000"}', "/reason"),
        (b'{"url": "https://one.example/", "is_active": null}', "/is_active"),
    ],
)
async def test_invalid_body_is_refused(client: httpx2.AsyncClient, body: bytes, pointer: str) -> None:
    response = await client.put(ROUTE, content=body)
    assert response.status_code == 400
    assert [each["pointer"] for each in response.json()["errors"]] == [pointer]


async def test_change_is_attributed_to_subject_reason_and_request(
    client: httpx2.AsyncClient, registry: FakeRegistry
) -> None:
    parent = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
    headers = {"X-Actor": "ci-bot", "X-Correlation-ID": "req-7", "traceparent": parent}
    await client.put(ROUTE, json={"url": "https://one.example/", "reason": "release 42"}, headers=headers)
    await client.delete(ROUTE)
    first, second = registry.committed
    assert (first.attribution.changed_by, first.attribution.reason) == ("ci-bot", "release 42")
    assert first.attribution.correlation_id == first.headers["correlation_id"] == "req-7"
    assert first.headers["traceparent"].split("-")[1] == parent.split("-")[1]
    assert (second.attribution.changed_by, second.attribution.reason) == ("anonymous", None)
    assert second.attribution.correlation_id.startswith("req-")


async def test_routes_are_listed_in_pages_and_filtered(client: httpx2.AsyncClient) -> None:
    for version in ("v3", "v1", "v2"):
        await client.put(f"/tenants/team-a/routes/payments/prod/{version}", json={"url": "https://one.example/"})
    await client.delete("/tenants/team-a/routes/payments/prod/v2")
    versions: list[str] = []
    query: dict[str, Any] = {"limit": 1}
    while True:
        page = (await client.get("/tenants/team-a/routes", params=query)).json()
        versions += [each["version"] for each in page["routes"]]
        if page["next_cursor"] is None:
            break
        query["cursor"] = page["next_cursor"]
    assert versions == ["v1", "v2", "v3"]
    filtered = (await client.get("/tenants/team-a/routes", params={"active": "false", "env": "prod"})).json()
    assert [each["version"] for each in filtered["routes"]] == ["v2"]


async def test_every_wrong_parameter_of_the_list_is_reported(client: httpx2.AsyncClient) -> None:
    wrong = {"limit": "1001", "active": "maybe", "service": "A", "cursor": "!", "page": "2"}
    response = await client.get("/tenants/Team/routes", params=wrong)
    assert response.status_code == 400
    assert {each["pointer"] for each in response.json()["errors"]} == {"/tenant", *(f"/{name}" for name in wrong)}


@pytest.mark.parametrize("settings", [ControlPlaneSettings(tenant_route_quota=1)])
async def test_tenant_at_its_quota_cannot_create_but_can_change_routes(
    client: httpx2.AsyncClient,
) -> None:
    await client.put(ROUTE, json={"url": "https://one.example/"})
    await client.delete(ROUTE)
    refused = await client.put(f"{ROUTE}9", json={"url": "https://one.example/"})
    assert (refused.status_code, refused.json()["type"].rsplit(":")[-1]) == (409, "route-quota-reached")
    assert "1 of at most 1 routes" in refused.json()["detail"]
    assert (await client.put(ROUTE, json={"url": "https://two.example/"})).status_code == 200


@pytest.mark.parametrize("query", ["active=null", "service=", "limit=1&limit=2"])
async def test_null_empty_or_repeated_parameter_is_refused(client: httpx2.AsyncClient, query: str) -> None:
    response = await client.get(f"/tenants/team-a/routes?{query}")
    assert response.status_code == 400
    assert [each["pointer"] for each in response.json()["errors"]] == [f"/{query.partition('=')[0]}"]


async def test_busy_tenant_is_a_503_of_its_own_type(client: httpx2.AsyncClient, registry: FakeRegistry) -> None:
    registry.failure = TenantBusy("team-a")
    response = await client.put(ROUTE, json={"url": "https://one.example/"})
    assert (response.status_code, response.headers["Retry-After"]) == (503, "1")
    assert response.json()["type"].endswith("tenant-busy")


async def test_changes_are_counted_by_action_and_outcome(client: httpx2.AsyncClient) -> None:
    await client.put(ROUTE, json={"url": "https://one.example/"})
    await client.put(ROUTE, json={"url": "https://one.example/"})
    await client.delete(f"{ROUTE}9")
    exposed = (await client.get("http://test/metrics")).text
    for labels in (
        'action="created",outcome="committed"',
        'action="none",outcome="unchanged"',
        'action="none",outcome="rejected"',
    ):
        assert f"tm_changes_total{{{labels}}} 1.0" in exposed
