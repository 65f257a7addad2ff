"""Preconditions of changes: `If-Match` and `If-None-Match`."""

from typing import Any

import httpx2
import pytest

ROUTE = "/tenants/team-a/routes/payments/prod/v1"
CHANGES = "/tenants/team-a/changes"
ONE, TWO = {"url": "https://one.example/"}, {"url": "https://two.example/"}
CHANGE: dict[str, Any] = {"op": "put", "service": "payments", "env": "prod", "version": "v1", **ONE}

pytestmark = pytest.mark.usefixtures("team_a")


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({"If-Match": '"1"'}, 200),
        ({"If-Match": '"7", "1"'}, 200),
        ({"If-Match": "*"}, 200),
        ({"If-Match": '"2"'}, 412),
        ({"If-Match": 'W/"1"'}, 412),
        ({"If-Match": '"one"'}, 412),
        ({"If-None-Match": "*"}, 412),
        ({"If-Match": "1"}, 400),
        ({"If-None-Match": '"1"'}, 400),
        ({"If-Match": '"1"', "If-None-Match": "*"}, 400),
        ({"If-Match": "*", "If-None-Match": "*"}, 400),
    ],
)
@pytest.mark.parametrize("method", ["PUT", "POST", "DELETE"])
async def test_route_changes_only_when_its_precondition_holds(
    client: httpx2.AsyncClient, method: str, headers: dict[str, str], status: int
) -> None:
    await client.put(ROUTE, json=ONE)
    path, body = (f"{ROUTE}/deactivate", None) if method == "POST" else (ROUTE, TWO if method == "PUT" else None)
    response = await client.request(method, path, json=body, headers=headers)
    assert response.status_code == status, response.text
    assert ((await client.get(ROUTE)).headers["ETag"] == '"2"') == (status == 200)


async def test_if_none_match_creates_a_route_once(client: httpx2.AsyncClient) -> None:
    assert (await client.put(ROUTE, json=ONE, headers={"If-Match": "*"})).status_code == 412
    assert (await client.put(ROUTE, json=ONE, headers={"If-None-Match": "*"})).status_code == 201
    again = await client.put(ROUTE, json=TWO, headers={"If-None-Match": "*"})
    assert (again.status_code, "revision 1" in again.json()["detail"]) == (412, True)


@pytest.mark.parametrize("header", ["If-Match", "If-None-Match"])
@pytest.mark.parametrize(
    ("method", "path", "body"),
    [
        ("POST", CHANGES, {"changes": [{**CHANGE, **TWO}]}),
        ("PUT", "/tenants/team-a/routes", {"routes": []}),
        ("POST", f"{CHANGES}/1/revert", {}),
        ("POST", "/tenants/team-a/revert-to/0", {}),
    ],
)
async def test_precondition_on_a_change_of_many_routes_is_refused(
    client: httpx2.AsyncClient, method: str, path: str, body: dict[str, Any], header: str
) -> None:
    await client.put(ROUTE, json=ONE)
    response = await client.request(method, path, json=body, headers={header: "*"})
    assert response.status_code == 400
    (wrong,) = response.json()["errors"]
    assert (wrong["pointer"], "expected_revision" in wrong["detail"]) == (f"/{header}", True)
    assert (await client.get(ROUTE)).headers["ETag"] == '"1"'


async def test_response_to_a_change_has_the_tenant_revision(client: httpx2.AsyncClient) -> None:
    assert (await client.put(ROUTE, json=ONE)).headers["X-Revision"] == "1"
    await client.put(f"{ROUTE}1", json=ONE)
    unchanged = await client.put(ROUTE, json=ONE)
    assert (unchanged.headers["ETag"], unchanged.headers["X-Revision"]) == ('"1"', "2")
