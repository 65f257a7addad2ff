"""The control API's desired sets."""

import httpx2
import pytest

from tests.support.control_api_requests import ONE, TENANT, TWO, actions, apply, change, pointers, route

pytestmark = pytest.mark.usefixtures("team_a")


async def test_desired_set_creates_updates_and_deactivates_routes(client: httpx2.AsyncClient) -> None:
    await apply(client, *[change("put", f"v{n}", ONE) for n in range(10)])
    wanted = [route(f"v{n}") for n in range(1, 9)] + [route("v9", TWO), route("w1"), route("w2", is_active=False)]
    response = await client.put(f"{TENANT}/routes", json={"routes": wanted})
    assert response.status_code == 200
    assert sorted(actions(response)) == [("v0", "deactivated"), ("v9", "updated"), ("w1", "created"), ("w2", "created")]
    assert response.json()["counts"]["unchanged"] == 8
    again = await client.put(f"{TENANT}/routes", json={"routes": wanted})
    assert (again.json()["committed"], again.json()["changes"]) == (False, [])


async def test_desired_set_does_not_change_routes_outside_its_scope(client: httpx2.AsyncClient) -> None:
    await apply(client, change("put", "v1", ONE), change("put", "v1", ONE, env="dev"))
    terms = {"routes": [], "allow_mass_deactivation": True}
    response = await client.put(f"{TENANT}/routes", params={"env": "dev"}, json=terms)
    assert [(each["env"], each["action"]) for each in response.json()["changes"]] == [("dev", "deactivated")]
    outside = await client.put(f"{TENANT}/routes", params={"env": "dev"}, json={"routes": [route()]})
    assert (outside.status_code, pointers(outside)) == (400, ["/routes/0"])


async def test_mass_deactivation_by_a_desired_set_is_refused_unless_allowed(client: httpx2.AsyncClient) -> None:
    await apply(client, *[change("put", f"v{n}", ONE) for n in range(10)])
    most = {"routes": [route(f"v{n}") for n in range(2, 10)], "dry_run": True}
    assert (await client.put(f"{TENANT}/routes", json=most)).status_code == 200
    less = {"routes": most["routes"][1:]}  # type: ignore[index]
    response = await client.put(f"{TENANT}/routes", json=less)
    assert (response.status_code, response.json()["plan"]["counts"]["deactivated"]) == (409, 3)
    assert "3 of the 10 active routes" in response.json()["detail"]
    allowed = await client.put(f"{TENANT}/routes", json={**less, "allow_mass_deactivation": True})
    assert allowed.json()["counts"]["deactivated"] == 3


async def test_desired_set_that_changes_more_than_500_routes_is_refused_with_advice(client: httpx2.AsyncClient) -> None:
    response = await client.put(f"{TENANT}/routes", json={"routes": [route(f"v{n}") for n in range(501)]})
    assert response.status_code == 413
    assert "?service=" in response.json()["detail"]
