"""The control API's change sets."""

from typing import Any

import httpx2
import pytest
from structlog.testing import capture_logs

from control_plane.settings import ControlPlaneSettings
from tests.fakes.control_plane_registry import FakeRegistry
from tests.support.control_api_requests import CHANGES, ONE, TENANT, TWO, actions, apply, change, pointers, route

pytestmark = pytest.mark.usefixtures("team_a")


async def test_change_set_takes_one_revision_and_returns_values_before_and_after(
    client: httpx2.AsyncClient, registry: FakeRegistry
) -> None:
    await apply(client, change("put", "v1", ONE), change("put", "v2", ONE))
    response = await apply(
        client,
        change("put", "v3", TWO),
        change("deactivate", "v1"),
        change("activate", "v2"),
        reason="move",
    )
    assert (response.status_code, response.headers["ETag"], response.headers["X-Revision"]) == (200, '"2"', "2")
    body = response.json()
    assert (body["base_revision"], body["revision"], body["committed"]) == (1, 2, True)
    assert actions(response) == [("v3", "created"), ("v1", "deactivated"), ("v2", "unchanged")]
    assert body["changes"][0]["before"] is None
    assert body["changes"][1]["before"] == {"url": ONE, "is_active": True}
    assert body["changes"][1]["after"] == {"url": ONE, "is_active": False}
    assert body["counts"] == {"created": 1, "updated": 0, "activated": 0, "deactivated": 1, "unchanged": 1}
    assert [(each.revision, each.attribution.reason) for each in registry.committed] == [(1, None), (2, "move")]


async def test_change_set_that_changes_nothing_takes_no_revision(
    client: httpx2.AsyncClient, registry: FakeRegistry
) -> None:
    await apply(client, change("put", "v1", ONE))
    response = await apply(client, change("put", "v1", ONE))
    assert (response.json()["revision"], response.json()["committed"], len(registry.committed)) == (1, False, 1)


async def test_every_wrong_field_of_every_change_is_reported_at_once(client: httpx2.AsyncClient) -> None:
    response = await apply(
        client,
        change("put", "v1", ONE),
        change("put", "v 2", "ftp://x"),
        change("put", "v3"),
        change("activate", "v4", ONE),
        change("burn", "v5"),
        "nonsense",  # type: ignore[arg-type]
        change("deactivate", "v1"),
        change("put", "v6", ONE, colour="red"),
        reason=7,
        expected_revision=-1,
    )
    assert response.status_code == 400
    assert sorted(pointers(response)) == [
        "/changes/1/url",
        "/changes/1/version",
        "/changes/2/url",
        "/changes/3/url",
        "/changes/4/op",
        "/changes/5",
        "/changes/6",
        "/changes/7/colour",
        "/expected_revision",
        "/reason",
    ]


@pytest.mark.parametrize("body", [{}, {"changes": []}, {"changes": {}}, {"changes": None}])
async def test_change_set_without_changes_is_refused(client: httpx2.AsyncClient, body: dict[str, Any]) -> None:
    response = await client.post(CHANGES, json=body)
    assert (response.status_code, pointers(response)) == (400, ["/changes"])


async def test_every_missing_route_is_reported_by_its_index(client: httpx2.AsyncClient, registry: FakeRegistry) -> None:
    response = await apply(client, change("put", "v1", ONE), change("activate", "v2"), change("deactivate", "v3"))
    assert (response.status_code, pointers(response)) == (404, ["/changes/1", "/changes/2"])
    assert registry.committed == []


async def test_more_than_500_changes_are_refused_before_they_are_read(client: httpx2.AsyncClient) -> None:
    most = await apply(client, *[change("put", f"v{n}", ONE) for n in range(500)])
    assert most.json()["counts"]["created"] == 500
    response = await apply(client, *[{}] * 501)
    assert response.status_code == 413
    assert "Split it" in response.json()["detail"]


async def test_dry_run_returns_the_plan_and_commits_nothing(client: httpx2.AsyncClient, registry: FakeRegistry) -> None:
    wanted = [change("put", "v1", ONE), change("put", "v2", ONE)]
    plan = await apply(client, *wanted, dry_run=True)
    assert (plan.json()["base_revision"], plan.json()["committed"], registry.committed) == (0, False, [])
    done = await apply(client, *wanted, expected_revision=plan.json()["base_revision"])
    assert done.json()["changes"] == plan.json()["changes"]


async def test_unexpected_revision_is_a_conflict_with_the_new_plan(
    client: httpx2.AsyncClient, registry: FakeRegistry
) -> None:
    await apply(client, change("put", "v1", TWO))
    response = await apply(client, change("put", "v1", ONE), expected_revision=0)
    assert response.status_code == 409
    assert response.json()["type"].endswith("revision-mismatch")
    assert response.json()["plan"]["base_revision"] == 1
    assert response.json()["plan"]["changes"][0]["before"] == {"url": TWO, "is_active": True}
    assert len(registry.committed) == 1


async def test_refused_and_conflicting_change_sets_are_counted(client: httpx2.AsyncClient) -> None:
    await apply(client, change("put", "v1", ONE), expected_revision=9)
    await apply(client, change("activate", "v1"))
    await apply(client, change("put", "v1", ONE), change("put", "v2", ONE))
    exposed = (await client.get("http://test/metrics")).text
    assert 'tm_changes_total{action="none",outcome="conflict"} 1.0' in exposed
    assert 'tm_changes_total{action="none",outcome="rejected"} 1.0' in exposed
    assert 'tm_changes_total{action="created",outcome="committed"} 2.0' in exposed
    assert "tm_change_set_changes_sum 2.0" in exposed


@pytest.mark.parametrize("settings", [ControlPlaneSettings(tenant_route_quota=2)])
async def test_change_set_beyond_the_quota_and_its_dry_run_are_refused_with_the_plan(
    client: httpx2.AsyncClient, registry: FakeRegistry
) -> None:
    await apply(client, change("put", "v1", ONE))
    for terms in ({}, {"dry_run": True}):
        refused = await apply(
            client, change("put", "v1", TWO), change("put", "v2", ONE), change("put", "v3", ONE), **terms
        )
        assert (refused.status_code, refused.json()["type"].rsplit(":")[-1]) == (409, "route-quota-reached")
        assert refused.json()["plan"]["counts"]["created"] == 2
    assert registry.tenants["team-a"].revision == 1
    whole = await client.put(f"{TENANT}/routes", json={"routes": [route("v1"), route("v2", TWO)]})
    assert whole.json()["counts"]["created"] == 1


async def test_committed_change_set_is_logged_once(client: httpx2.AsyncClient) -> None:
    with capture_logs() as logged:
        await apply(client, change("put", "v1", ONE), change("put", "v2", ONE))
        await apply(client, change("put", "v1", ONE))
        await apply(client, change("put", "v3", ONE), dry_run=True)
    committed = [each for each in logged if each["event"] == "changes committed"]
    assert [(each["tenant"], each["revision"], each["changes"], each["changed_by"]) for each in committed] == [
        ("team-a", 1, 2, "anonymous")
    ]
