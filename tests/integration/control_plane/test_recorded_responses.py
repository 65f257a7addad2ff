"""Recorded responses in PostgreSQL: their bytes are limited for each owner, and purged for all of them."""

from datetime import timedelta

import asyncpg
import httpx2
import pytest

from deploy.local.stack import Stack
from tests.support.control_plane import control_plane, open_outbox
from tests.support.postgres import Database

LIMIT = 2_000
BODY = {"changes": [{"op": "put", "service": "a", "env": "b", "version": "c", "url": "https://one.example/"}]}


async def _rows(database: Database, table: str) -> int:
    connection = await asyncpg.connect(database.url)
    try:
        count: int = await connection.fetchval(f"SELECT count(*) FROM {table}")  # noqa: S608 - a constant of this test
    finally:
        await connection.close()
    return count


async def _fill(client: httpx2.AsyncClient, path: str, body: object) -> httpx2.Response:
    """Send requests with new keys until one is refused."""
    for number in range(LIMIT):
        response = await client.post(path, json=body, headers={"Idempotency-Key": f"k{number}"})
        if not response.is_success:
            return response
    raise AssertionError("no request was refused")


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("/tenants/team-a/changes", BODY),
        ("/tenants/team-a/access-keys", {"subject": "shop", "role": "resolver"}),
        ("/access-keys", {"subject": "ops"}),
    ],
    ids=["changes", "keys of a tenant", "keys of the platform"],
)
async def test_responses_recorded_for_one_owner_are_limited_in_bytes(
    stack: Stack, database: Database, path: str, body: object
) -> None:
    async with control_plane(database.url, stack.urls.kafka, tenant_recorded_bytes=LIMIT) as client:
        for tenant in ("team-a", "team-b"):
            await client.put(f"/tenants/{tenant}")
        refused = await _fill(client, path, body)
        assert (refused.status_code, refused.json()["type"].rsplit(":", 1)[-1]) == (429, "recorded-responses-full")
        assert refused.headers["Retry-After"] == "3600"
        recorded = await _rows(database, "idempotency_keys")
        assert 1 <= recorded < LIMIT / 100
        assert (await client.post(path, json=body)).is_success
        assert (await client.post(path, json=body, headers={"Idempotency-Key": "k0"})).headers["Idempotency-Replayed"]
        other = await client.post("/tenants/team-b/changes", json=BODY, headers={"Idempotency-Key": "k0"})
        assert other.status_code == 200


async def test_refused_request_changes_nothing(stack: Stack, database: Database) -> None:
    async with control_plane(database.url, stack.urls.kafka, tenant_recorded_bytes=10) as client:
        await client.put("/tenants/team-a")
        refused = await client.post("/tenants/team-a/changes", json=BODY, headers={"Idempotency-Key": "k"})
        assert refused.status_code == 429
        assert (await client.get("/tenants/team-a")).json()["revision"] == 0


async def test_expired_responses_are_purged_for_tenants_and_for_the_platform(stack: Stack, database: Database) -> None:
    async with control_plane(database.url, stack.urls.kafka) as client:
        await client.put("/tenants/team-a")
        for path, body in (
            ("/tenants/team-a/changes", BODY),
            ("/access-keys", {"subject": "ops"}),
        ):
            assert (await client.post(path, json=body, headers={"Idempotency-Key": "k"})).is_success
    connection = await asyncpg.connect(database.url)
    try:
        await connection.execute("UPDATE idempotency_keys SET created_at = created_at - interval '25 hours'")
        await connection.execute("UPDATE recorded_bytes SET hour = hour - interval '26 hours'")
    finally:
        await connection.close()
    async with open_outbox(database.url) as outbox, outbox.session(lambda: None) as session:
        assert await session.purge_recorded_responses(timedelta(hours=24)) == 2
    assert await _rows(database, "recorded_bytes") == 0
