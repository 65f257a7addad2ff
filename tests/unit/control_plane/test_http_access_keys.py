"""Idempotency keys on the control API's access keys."""

from datetime import datetime, timedelta
from typing import Any

import httpx2
import pytest

IDEMPOTENT = {"Idempotency-Key": "k1"}

pytestmark = pytest.mark.usefixtures("team_a")


@pytest.mark.parametrize(
    ("keys", "body"),
    [("/tenants/team-a/access-keys", {"subject": "ci", "role": "editor"}), ("/access-keys", {"subject": "ada"})],
)
async def test_repeated_creation_creates_one_key_and_replays_without_the_secret(
    client: httpx2.AsyncClient, keys: str, body: dict[str, Any]
) -> None:
    first = await client.post(keys, json=body, headers=IDEMPOTENT)
    second = await client.post(keys, json=body, headers=IDEMPOTENT)
    assert (first.status_code, second.status_code, second.headers["Idempotency-Replayed"]) == (201, 201, "true")
    assert first.json()["key"].startswith("tm_")
    assert second.json() == {**first.json(), "key": None}
    assert second.headers["Cache-Control"] == "no-store"
    assert len((await client.get(keys)).json()["access_keys"]) == 1
    other = await client.post(keys, json={**body, "subject": "bob"}, headers=IDEMPOTENT)
    assert (other.status_code, other.json()["type"]) == (422, "urn:traffic-manager:problem:idempotency-key-reused")


async def test_repeated_rotation_rotates_once(client: httpx2.AsyncClient) -> None:
    made = await client.post("/access-keys", json={"subject": "ada"})
    rotate = f"/access-keys/{made.json()['access_key']['key_id']}/rotate"
    first, second = [await client.post(rotate, headers=IDEMPOTENT) for _ in range(2)]
    assert second.json() == {**first.json(), "key": None}
    assert (await client.get("/access-keys")).json()["access_keys"] == [first.json()["access_key"]]


async def test_secret_before_a_rotation_ends_after_a_day_when_no_grace_period_is_given(
    client: httpx2.AsyncClient,
) -> None:
    made = await client.post("/access-keys", json={"subject": "ada"})
    rotated = await client.post(f"/access-keys/{made.json()['access_key']['key_id']}/rotate")
    key = rotated.json()["access_key"]
    grace = datetime.fromisoformat(key["older_secret_ends_at"]) - datetime.fromisoformat(key["rotated_at"])
    assert grace == timedelta(days=1)


async def test_a_revoked_key_can_be_revoked_again(client: httpx2.AsyncClient) -> None:
    made = await client.post("/access-keys", json={"subject": "ada"})
    path = f"/access-keys/{made.json()['access_key']['key_id']}"
    assert [(await client.delete(path)).status_code for _ in range(2)] == [204, 204]


async def test_invalid_idempotency_key_is_reported_with_the_other_errors(client: httpx2.AsyncClient) -> None:
    response = await client.post("/access-keys", json={}, headers={"Idempotency-Key": "with space"})
    assert [each["pointer"] for each in response.json()["errors"]] == ["/subject", "/Idempotency-Key"]
