"""Idempotency keys of the control API, and recorded responses."""

from typing import Any

import httpx2
import pytest

from control_plane.errors import TenantBusy
from tests.fakes.control_plane_registry import FakeRegistry

ROUTE = "/tenants/team-a/routes/payments/prod/v1"
CHANGES = "/tenants/team-a/changes"
ONE, TWO = {"url": "https://one.example/"}, {"url": "https://two.example/"}
CHANGE: dict[str, Any] = {"op": "put", "service": "payments", "env": "prod", "version": "v1", **ONE}

pytestmark = pytest.mark.usefixtures("team_a")


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
async def test_repeated_request_with_the_same_key_is_carried_out_once(
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


async def test_key_of_another_request_is_refused_within_the_tenant_only(client: httpx2.AsyncClient) -> None:
    key = {"Idempotency-Key": "k1"}
    await client.post(CHANGES, json={"changes": [CHANGE]}, headers=key)
    for path, body in ((CHANGES, {"changes": [{**CHANGE, **TWO}]}), (f"{CHANGES}/1/revert", {})):
        response = await client.post(path, json=body, headers=key)
        assert (response.status_code, response.json()["type"].rsplit(":", 1)[-1]) == (422, "idempotency-key-reused")
    await client.put("/tenants/team-b")
    other = await client.post("/tenants/team-b/changes", json={"changes": [CHANGE]}, headers=key)
    assert other.status_code == 200


async def test_errors_and_dry_runs_are_not_recorded(client: httpx2.AsyncClient, registry: FakeRegistry) -> None:
    key = {"Idempotency-Key": "k1"}
    registry.failure = TenantBusy("team-a")
    assert (await client.post(CHANGES, json={"changes": [CHANGE]}, headers=key)).status_code == 503
    registry.failure = None
    assert (await client.post(f"{ROUTE}/activate", headers=key)).status_code == 404
    await client.post(CHANGES, json={"changes": [CHANGE], "dry_run": True}, headers=key)
    response = await client.post(CHANGES, json={"changes": [CHANGE]}, headers=key)
    assert (response.status_code, response.json()["committed"]) == (200, True)


@pytest.mark.parametrize("key", ["", "a b", "x" * 256])
async def test_key_with_spaces_or_beyond_255_characters_is_refused(client: httpx2.AsyncClient, key: str) -> None:
    response = await client.post(CHANGES, json={"changes": [CHANGE]}, headers={"Idempotency-Key": key})
    assert response.status_code == 400
    assert [each["pointer"] for each in response.json()["errors"]] == ["/Idempotency-Key"]


async def test_repeated_request_that_changed_nothing_gets_its_recorded_response(
    client: httpx2.AsyncClient, registry: FakeRegistry
) -> None:
    await client.put(ROUTE, json=ONE)
    key = {"Idempotency-Key": "k1"}
    first = await client.post(f"{ROUTE}/activate", headers=key)
    assert "Idempotency-Replayed" not in first.headers
    await client.post(f"{ROUTE}/deactivate")
    committed = len(registry.committed)
    second = await client.post(f"{ROUTE}/activate", headers=key)
    assert (second.content, second.headers["Idempotency-Replayed"]) == (first.content, "true")
    assert len(registry.committed) == committed


@pytest.mark.parametrize("header", ["If-Match", "If-None-Match"])
async def test_key_is_refused_for_a_request_with_another_precondition(client: httpx2.AsyncClient, header: str) -> None:
    await client.put(ROUTE, json=ONE)
    key = {"Idempotency-Key": "k1"}
    assert (await client.post(f"{ROUTE}/deactivate", headers={**key, "If-Match": '"1"'})).status_code == 200
    repeated = await client.post(f"{ROUTE}/deactivate", headers={**key, "If-Match": '"1"'})
    assert repeated.headers["Idempotency-Replayed"] == "true"
    for other in ({}, {"If-Match": '"7"'}, {"If-Match": '"1", "2"'}, {header: "*"}):
        response = await client.post(f"{ROUTE}/deactivate", headers={**key, **other})
        assert (response.status_code, response.json()["type"].rsplit(":", 1)[-1]) == (422, "idempotency-key-reused")


async def test_key_of_a_request_to_another_path_is_refused(client: httpx2.AsyncClient) -> None:
    other = ROUTE.replace("payments", "carts")
    for path in (ROUTE, other):
        await client.put(path, json=ONE)
    key = {"Idempotency-Key": "k1"}
    assert (await client.post(f"{ROUTE}/deactivate", json={"reason": "x"}, headers=key)).status_code == 200
    for path in (f"{other}/deactivate", f"{ROUTE}/activate"):
        response = await client.post(path, json={"reason": "x"}, headers=key)
        assert (response.status_code, response.json()["type"].rsplit(":", 1)[-1]) == (422, "idempotency-key-reused")
    assert (await client.get(other)).json()["is_active"] is True
