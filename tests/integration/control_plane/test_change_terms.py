"""Keys, expectations and retention on the real database, with two control planes."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from datetime import timedelta
from typing import Any

import asyncpg
import httpx2
import pytest_asyncio

from deploy.local.stack import Stack
from tests.support.control_plane import control_plane, open_outbox
from tests.support.factories import a_tenant
from tests.support.postgres import Database

PATIENT = {"request_deadline_seconds": 20}


@pytest_asyncio.fixture(loop_scope="session")
async def clients(stack: Stack, database: Database) -> AsyncIterator[list[httpx2.AsyncClient]]:
    async with AsyncExitStack() as opened:
        yield [
            await opened.enter_async_context(control_plane(database.url, stack.urls.kafka, **PATIENT)) for _ in range(2)
        ]


def _put(version: str, url: str = "https://one.example/") -> dict[str, Any]:
    return {"op": "put", "service": "payments", "env": "prod", "version": version, "url": url}


async def _at_once(
    clients: list[httpx2.AsyncClient], path: str, bodies: list[dict[str, Any]], **headers: str
) -> list[httpx2.Response]:
    async with asyncio.TaskGroup() as tasks:
        calls = [
            tasks.create_task(clients[place % 2].post(path, json=body, headers=headers))
            for place, body in enumerate(bodies)
        ]
    return [each.result() for each in calls]


async def test_concurrent_requests_with_one_idempotency_key_get_the_response_of_the_first(
    database: Database, clients: list[httpx2.AsyncClient]
) -> None:
    tenant = a_tenant()
    await clients[0].put(f"/tenants/{tenant}")
    path, body = f"/tenants/{tenant}/changes", {"changes": [_put("v1")]}
    answers = await _at_once(clients, path, [body] * 12, **{"Idempotency-Key": "k1"})
    assert {each.status_code for each in answers} == {200}
    assert len({each.content for each in answers}) == 1
    assert sum("Idempotency-Replayed" not in each.headers for each in answers) == 1
    assert answers[0].json()["counts"]["created"] == 1
    assert (await clients[0].get(f"/tenants/{tenant}")).json()["revision"] == 1
    other = await clients[1].post(path, json={"changes": [_put("v2")]}, headers={"Idempotency-Key": "k1"})
    assert other.status_code == 422
    connection = await asyncpg.connect(database.url)
    try:
        await connection.execute("UPDATE idempotency_keys SET created_at = created_at - interval '25 hours'")
    finally:
        await connection.close()
    late = await clients[1].post(path, json={"changes": [_put("v2")]}, headers={"Idempotency-Key": "k1"})
    assert (late.status_code, late.json()["revision"]) == (200, 2)


async def test_one_of_many_writers_that_expect_the_same_revision_succeeds(clients: list[httpx2.AsyncClient]) -> None:
    tenant = a_tenant()
    await clients[0].put(f"/tenants/{tenant}")
    bodies = [{"changes": [_put(f"v{n}")], "expected_revision": 0} for n in range(8)]
    answers = await _at_once(clients, f"/tenants/{tenant}/changes", bodies)
    assert sorted(each.status_code for each in answers) == [200] + [409] * 7
    assert {each.json()["plan"]["base_revision"] for each in answers if each.status_code == 409} == {1}


async def test_purged_history_and_unknown_revisions_are_different_errors(
    database: Database, clients: list[httpx2.AsyncClient]
) -> None:
    tenant = a_tenant()
    base = f"/tenants/{tenant}"
    await clients[0].put(base)
    for number in range(1, 7):
        await clients[0].post(f"{base}/changes", json={"changes": [_put("v1", f"https://{number}.example/")]})
    await _purge_first_three(database)

    listed = (await clients[0].get(f"{base}/changes")).json()["change_sets"]
    assert [each["revision"] for each in listed] == [6, 5, 4]
    for path, oldest in (("changes/3", 4), ("routes?at_revision=2", 3), ("diff?from=2&to=6", 3)):
        answer = await clients[0].get(f"{base}/{path}")
        assert (answer.status_code, answer.json()["oldest_revision"]) == (410, oldest)
    for path, oldest in (("changes/3/revert", 4), ("revert-to/2", 3)):
        answer = await clients[0].post(f"{base}/{path}")
        assert (answer.status_code, answer.json()["oldest_revision"]) == (410, oldest)
    then = (await clients[0].get(f"{base}/routes", params={"at_revision": 3})).json()["routes"]
    assert [each["url"] for each in then] == ["https://3.example/"]
    back = await clients[0].post(f"{base}/revert-to/3")
    assert back.json()["changes"][0]["after"]["url"] == "https://3.example/"


async def _purge_first_three(database: Database) -> None:
    connection = await asyncpg.connect(database.url)
    try:
        await connection.execute(
            "UPDATE change_sets SET committed_at = committed_at - interval '2 days' WHERE revision <= 3"
        )
        async with open_outbox(database.url) as outbox, outbox.session(lambda: None) as session:
            assert await session.purge_history(timedelta(days=1)) == 3
            assert await session.purge_history(timedelta(days=1)) == 0
            assert await session.purge_recorded_responses(timedelta()) == 0
        assert await connection.fetchval("SELECT min(revision) FROM changes") == 4
    finally:
        await connection.close()
