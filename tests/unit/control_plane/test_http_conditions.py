"""Preconditions of single routes, and requests that may be sent again."""

from typing import Any

import httpx2
import pytest

from control_plane.errors import TenantBusy
from tests.fakes.control_plane_registry import FakeRegistry

ROUTE = "/tenants/team-a/routes/payments/prod/v1"
CHANGES = "/tenants/team-a/changes"
ONE, TWO = {"url": "https://one.example/"}, {"url": "https://two.example/"}
CHANGE: dict[str, Any] = {"op": "put", "service": "payments", "env": "prod", "version": "v1", **ONE}


@pytest.fixture(autouse=True)
async def _tenant(client: httpx2.AsyncClient) -> None:
    await client.put("/tenants/team-a")


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
    ],
)
@pytest.mark.parametrize("method", ["PUT", "POST", "DELETE"])
async def test_a_route_is_changed_only_if_it_is_as_demanded(
    client: httpx2.AsyncClient, method: str, headers: dict[str, str], status: int
) -> None:
    await client.put(ROUTE, json=ONE)
    path, body = (f"{ROUTE}/deactivate", None) if method == "POST" else (ROUTE, TWO if method == "PUT" else None)
    answer = await client.request(method, path, json=body, headers=headers)
    assert answer.status_code == status, answer.text
    assert ((await client.get(ROUTE)).headers["ETag"] == '"2"') == (status == 200)


async def test_a_route_that_must_be_new_is_created_once(client: httpx2.AsyncClient) -> None:
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
async def test_a_precondition_that_would_not_be_looked_at_is_refused(
    client: httpx2.AsyncClient, method: str, path: str, body: dict[str, Any], header: str
) -> None:
    await client.put(ROUTE, json=ONE)
    answer = await client.request(method, path, json=body, headers={header: "*"})
    assert answer.status_code == 400
    (wrong,) = answer.json()["errors"]
    assert (wrong["pointer"], "expected_revision" in wrong["detail"]) == (f"/{header}", True)
    assert (await client.get(ROUTE)).headers["ETag"] == '"1"'


async def test_every_answer_to_a_change_says_which_revision_shows_it(client: httpx2.AsyncClient) -> None:
    assert (await client.put(ROUTE, json=ONE)).headers["X-Revision"] == "1"
    await client.put(f"{ROUTE}1", json=ONE)
    unchanged = await client.put(ROUTE, json=ONE)
    assert (unchanged.headers["ETag"], unchanged.headers["X-Revision"]) == ('"1"', "2")


@pytest.mark.parametrize(
    ("path", "body"),
    [
        (CHANGES, {"changes": [CHANGE]}),
        (f"{ROUTE}/deactivate", {"reason": "x"}),
        (f"{ROUTE}/activate", {}),
        (f"{CHANGES}/1/revert", {}),
        ("/tenants/team-a/revert-to/0", {"allow_mass_deactivation": True}),
    ],
)
async def test_the_same_request_with_the_same_key_is_carried_out_once(
    client: httpx2.AsyncClient, registry: FakeRegistry, path: str, body: dict[str, Any]
) -> None:
    await client.put(ROUTE, json=TWO)
    first = await client.post(path, json=body, headers={"Idempotency-Key": "k1"})
    await client.put(ROUTE, json={"url": "https://three.example/"})
    committed = len(registry.committed)
    second = await client.post(path, json=body, headers={"Idempotency-Key": "k1"})
    assert (first.status_code, first.content) == (second.status_code, second.content)
    for name in ("ETag", "X-Revision", "Content-Type"):
        assert first.headers[name] == second.headers[name]
    assert (first.headers.get("Idempotency-Replayed"), second.headers["Idempotency-Replayed"]) == (None, "true")
    assert len(registry.committed) == committed


async def test_a_key_belongs_to_one_request_of_one_tenant(client: httpx2.AsyncClient) -> None:
    key = {"Idempotency-Key": "k1"}
    await client.post(CHANGES, json={"changes": [CHANGE]}, headers=key)
    for path, body in ((CHANGES, {"changes": [{**CHANGE, **TWO}]}), (f"{CHANGES}/1/revert", {})):
        answer = await client.post(path, json=body, headers=key)
        assert (answer.status_code, answer.json()["type"].rsplit(":", 1)[-1]) == (422, "idempotency-key-reused")
    await client.put("/tenants/team-b")
    other = await client.post("/tenants/team-b/changes", json={"changes": [CHANGE]}, headers=key)
    assert other.status_code == 200


async def test_what_failed_or_was_refused_or_only_planned_is_not_recorded(
    client: httpx2.AsyncClient, registry: FakeRegistry
) -> None:
    key = {"Idempotency-Key": "k1"}
    registry.failure = TenantBusy("team-a")
    assert (await client.post(CHANGES, json={"changes": [CHANGE]}, headers=key)).status_code == 503
    registry.failure = None
    assert (await client.post(f"{ROUTE}/activate", headers=key)).status_code == 404
    await client.post(CHANGES, json={"changes": [CHANGE], "dry_run": True}, headers=key)
    answer = await client.post(CHANGES, json={"changes": [CHANGE]}, headers=key)
    assert (answer.status_code, answer.json()["committed"]) == (200, True)


@pytest.mark.parametrize("key", ["", "a b", "x" * 256])
async def test_a_key_is_printable_and_short(client: httpx2.AsyncClient, key: str) -> None:
    answer = await client.post(CHANGES, json={"changes": [CHANGE]}, headers={"Idempotency-Key": key})
    assert answer.status_code == 400
    assert [each["pointer"] for each in answer.json()["errors"]] == ["/Idempotency-Key"]
