"""The control API's reverts."""

import httpx2
import pytest

from tests.support.control_api_requests import CHANGES, ONE, TENANT, TWO, actions, apply, change, pointers

pytestmark = pytest.mark.usefixtures("team_a")


async def test_revert_restores_the_previous_values(client: httpx2.AsyncClient) -> None:
    await apply(client, change("put", "v1", ONE))
    await apply(client, change("put", "v1", TWO), change("put", "v2", TWO))
    reverted = await client.post(f"{CHANGES}/2/revert", json={"reason": "v2 fails"})
    assert actions(reverted) == [("v1", "updated"), ("v2", "deactivated")]
    restored = await client.post(f"{CHANGES}/3/revert")
    assert actions(restored) == [("v1", "updated"), ("v2", "activated")]
    assert (await client.get(f"{TENANT}/routes/payments/prod/v1")).json()["url"] == TWO


async def test_revert_of_routes_that_changed_again_is_a_conflict_unless_forced(client: httpx2.AsyncClient) -> None:
    await apply(client, change("put", "v1", ONE))
    await apply(client, change("put", "v1", TWO), change("put", "v2", TWO))
    await apply(client, change("put", "v1", "https://three.example/"))
    refused = await client.post(f"{CHANGES}/2/revert")
    assert refused.status_code == 409
    assert refused.json()["conflicts"] == [{"route": "team-a:payments:prod:v1", "revision": 3}]
    forced = await client.post(f"{CHANGES}/2/revert", json={"force": True})
    assert actions(forced) == [("v1", "updated"), ("v2", "deactivated")]


async def test_route_that_already_has_its_former_value_is_no_conflict(client: httpx2.AsyncClient) -> None:
    await apply(client, change("put", "v1", ONE))
    await apply(client, change("put", "v1", TWO), change("put", "v2", TWO))
    await apply(client, change("put", "v1", ONE))
    reverted = await client.post(f"{CHANGES}/2/revert")
    assert reverted.status_code == 200, reverted.text
    assert [each for each in actions(reverted) if each[1] != "unchanged"] == [("v2", "deactivated")]


async def test_revert_to_a_revision_reverts_every_later_change(client: httpx2.AsyncClient) -> None:
    await apply(client, change("put", "v1", ONE))
    await apply(client, change("put", "v1", TWO))
    await apply(client, change("deactivate", "v1"), change("put", "v2", ONE))
    back = await client.post(f"{TENANT}/revert-to/1", json={"allow_mass_deactivation": True})
    assert actions(back) == [("v1", "activated"), ("v2", "deactivated")]
    assert back.json()["changes"][0]["after"] == {"url": ONE, "is_active": True}


@pytest.mark.parametrize("path", [f"{CHANGES}/7/revert", f"{TENANT}/revert-to/7", f"{CHANGES}/0/revert"])
async def test_revert_of_an_unknown_revision_is_not_found(client: httpx2.AsyncClient, path: str) -> None:
    response = await client.post(path)
    assert (response.status_code, response.json()["type"].rsplit(":", 1)[-1]) == (404, "no-such-revision")


@pytest.mark.parametrize("path", [f"{CHANGES}/x/revert", f"{TENANT}/revert-to/-1", f"{CHANGES}/{'9' * 19}/revert"])
async def test_revision_that_is_not_a_number_is_refused(client: httpx2.AsyncClient, path: str) -> None:
    response = await client.post(path)
    assert (response.status_code, pointers(response)) == (400, ["/revision"])


async def test_mass_deactivation_by_a_revert_is_refused_unless_allowed(client: httpx2.AsyncClient) -> None:
    await apply(client, *[change("put", f"v{n}", ONE) for n in range(8)])
    await apply(client, *[change("put", f"w{n}", ONE) for n in range(2)])
    assert (await client.post(f"{TENANT}/revert-to/1", json={"dry_run": True})).status_code == 200
    await apply(client, change("put", "w2", ONE))
    refused = await client.post(f"{TENANT}/revert-to/1")
    assert (refused.status_code, refused.json()["type"].rsplit(":", 1)[-1]) == (409, "mass-deactivation")
    assert refused.json()["plan"]["counts"]["deactivated"] == 3
    allowed = await client.post(f"{TENANT}/revert-to/1", json={"allow_mass_deactivation": True})
    assert allowed.json()["counts"]["deactivated"] == 3
