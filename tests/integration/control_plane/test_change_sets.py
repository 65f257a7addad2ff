"""Changes through the API, the database, the relay and Kafka, by many at once."""

import asyncio
import random
from collections import defaultdict
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Any

import asyncpg
import httpx2
import pytest
import pytest_asyncio

from control_plane.domain.changes import Attribution, WantedChangeSet, WantedRoute
from deploy.local.stack import Stack
from shared.schemas.events import MAX_CHANGES, RouteChanged, decode
from shared.schemas.identity import RouteKey
from tests.support.control_plane import all_published, control_plane, open_registry, published_events
from tests.support.factories import a_tenant
from tests.support.postgres import Database
from tests.support.waiting import eventually

PATIENT = {"request_deadline_seconds": 20}

_DELAYED_COMMITS = """
CREATE FUNCTION dawdle() RETURNS trigger LANGUAGE plpgsql AS
    'BEGIN PERFORM pg_sleep(random() * 0.02); RETURN NULL; END';
CREATE CONSTRAINT TRIGGER dawdle AFTER INSERT ON change_sets
    DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION dawdle();
"""
_STORED = """
SELECT tenants.name AS tenant, services.name AS service, environments.name AS env, endpoints.version,
       endpoints.url, endpoints.is_active, endpoints.revision
FROM tenants JOIN services ON services.tenant_id = tenants.id
JOIN environments ON environments.service_id = services.id JOIN endpoints ON endpoints.environment_id = environments.id
"""


@asynccontextmanager
async def _connected(database: Database) -> AsyncIterator["asyncpg.Connection[asyncpg.Record]"]:
    connection = await asyncpg.connect(database.url)
    try:
        yield connection
    finally:
        await connection.close()


@pytest_asyncio.fixture(loop_scope="session")
async def clients(stack: Stack, database: Database) -> AsyncIterator[list[httpx2.AsyncClient]]:
    """Two control planes on one database."""
    async with AsyncExitStack() as opened:
        yield [
            await opened.enter_async_context(control_plane(database.url, stack.urls.kafka, **PATIENT)) for _ in range(2)
        ]


async def _received(stack: Stack, tenants: Sequence[str]) -> dict[str, list[RouteChanged]]:
    """What Kafka holds of these tenants, in offset order."""
    found: dict[str, list[RouteChanged]] = defaultdict(list)
    for event in await published_events(stack.urls.kafka, *tenants):
        found[event.tenant].append(event)
    return found


async def _committed(database: Database) -> dict[str, list[RouteChanged]]:
    """What the outbox holds, in revision order."""
    async with _connected(database) as connection:
        rows = await connection.fetch("SELECT payload FROM outbox ORDER BY id")
    found: dict[str, list[RouteChanged]] = defaultdict(list)
    for row in rows:
        event = decode(row["payload"])
        assert isinstance(event, RouteChanged)
        found[event.tenant].append(event)
    return found


async def test_kafka_receives_exactly_what_many_writers_committed(
    stack: Stack, database: Database, clients: list[httpx2.AsyncClient]
) -> None:
    tenants = [a_tenant() for _ in range(8)]
    async with _connected(database) as connection:
        await connection.execute(_DELAYED_COMMITS)
    for tenant in tenants:
        await clients[0].put(f"/tenants/{tenant}")

    async def write(writer: int) -> None:
        choose = random.Random(writer)
        client = clients[writer // 8 % 2]
        for _ in range(12):
            route = f"/tenants/{tenants[writer % 8]}/routes/payments/{choose.choice(['dev', 'prod'])}/v{choose.randint(1, 3)}"
            if choose.random() < 0.8:
                url = f"https://{choose.randint(1, 3)}.example/"
                answer = await client.put(route, json={"url": url, "is_active": choose.random() < 0.8})
                assert answer.status_code in (200, 201), answer.text
            else:
                answer = await client.delete(route)
                assert answer.status_code in (200, 404), answer.text

    async with asyncio.TaskGroup() as tasks:
        for writer in range(32):
            tasks.create_task(write(writer))
    await eventually(lambda: all_published(database.url))

    received, committed = await _received(stack, tenants), await _committed(database)
    assert received == committed
    for tenant in tenants:
        assert [each.revision for each in received[tenant]] == list(range(1, len(received[tenant]) + 1))
        times = [each.occurred_at for each in received[tenant]]
        assert times == sorted(times)
    await _expect_replay_to_equal_tables(database, received)


async def _expect_replay_to_equal_tables(database: Database, received: dict[str, list[RouteChanged]]) -> None:
    replayed: dict[RouteKey, tuple[str, bool, int]] = {}
    for events in received.values():
        for event in events:
            for key, change in event.keyed_changes():
                before = replayed.get(key)
                assert (change.previous_url, change.previous_state is None) == (
                    before[0] if before else None,
                    before is None,
                )
                replayed[key] = (change.url, change.is_active, event.revision)
    async with _connected(database) as connection:
        stored = {
            RouteKey(row["tenant"], row["service"], row["env"], row["version"]): (
                row["url"],
                row["is_active"],
                row["revision"],
            )
            for row in await connection.fetch(_STORED)
        }
        last = {row["name"]: row["revision"] for row in await connection.fetch("SELECT name, revision FROM tenants")}
    assert replayed == stored
    assert last == {tenant: len(received.get(tenant, [])) for tenant in last}


async def test_concurrent_creations_of_the_same_route_all_succeed(
    stack: Stack, database: Database, clients: list[httpx2.AsyncClient]
) -> None:
    tenant = a_tenant()

    async def create(client: httpx2.AsyncClient) -> tuple[int, int, Any]:
        made = await client.put(f"/tenants/{tenant}")
        answer = await client.put(f"/tenants/{tenant}/routes/a/b/c", json={"url": "https://one.example/"})
        return made.status_code, answer.status_code, answer.json()

    async with asyncio.TaskGroup() as tasks:
        calls = [tasks.create_task(create(clients[n % 2])) for n in range(24)]
    results = [each.result() for each in calls]

    assert sorted(each[0] for each in results) == [200] * 23 + [201]
    assert sorted(each[1] for each in results) == [200] * 23 + [201]
    assert all(each[2] == results[0][2] for each in results)
    await eventually(lambda: all_published(database.url))
    (event,) = (await _received(stack, [tenant]))[tenant]
    assert event.revision == 1
    async with _connected(database) as connection:
        for table in ("tenants", "services", "environments", "endpoints", "change_sets"):
            assert await connection.fetchval(f"SELECT count(*) FROM {table}") == 1, table  # noqa: S608


async def test_different_routes_of_a_new_service_can_be_created_concurrently(
    database: Database, clients: list[httpx2.AsyncClient]
) -> None:
    tenant = a_tenant()
    await clients[0].put(f"/tenants/{tenant}")

    async def create(number: int) -> httpx2.Response:
        route = f"/tenants/{tenant}/routes/a/{'dev' if number % 2 else 'prod'}/v{number}"
        return await clients[number % 2].put(route, json={"url": "https://one.example/"})

    async with asyncio.TaskGroup() as tasks:
        calls = [tasks.create_task(create(n)) for n in range(20)]
    assert {each.result().status_code for each in calls} == {201}
    assert sorted(each.result().json()["revision"] for each in calls) == list(range(1, 21))
    async with _connected(database) as connection:
        assert await connection.fetchval("SELECT count(*) FROM services") == 1
        assert await connection.fetchval("SELECT count(*) FROM environments") == 2


@pytest.mark.parametrize(
    ("method", "rest", "body"),
    [("PUT", "", {"url": "https://one.example/"}), ("POST", "/deactivate", None), ("DELETE", "", None)],
)
async def test_repeated_call_takes_no_second_revision_and_makes_no_second_event(
    database: Database, clients: list[httpx2.AsyncClient], method: str, rest: str, body: Any
) -> None:
    route = f"/tenants/{(tenant := a_tenant())}/routes/a/b/c"
    await clients[0].put(f"/tenants/{tenant}")
    await clients[0].put(route, json={"url": "https://one.example/"})
    first = await clients[0].request(method, route + rest, json=body)
    committed = await _committed(database)
    second = await clients[1].request(method, route + rest, json=body)
    assert (first.status_code, first.json(), first.headers["ETag"]) == (200, second.json(), second.headers["ETag"])
    assert await _committed(database) == committed


async def test_largest_legal_change_set_passes_through_kafka(stack: Stack, database: Database) -> None:
    tenant = "t" + a_tenant().ljust(62, "x")
    wanted = tuple(
        WantedRoute(
            RouteKey(tenant, "s" * 63, "e" * 63, f"v{number:062}"),
            is_active=True,
            url="https://one.example/".ljust(2048, "x"),
        )
        for number in range(MAX_CHANGES)
    )
    longer = tuple(WantedRoute(each.key, is_active=False, url=f"{(each.url or '')[:-1]}y") for each in wanted)
    by = Attribution("a" * 128, "\x01" * 500, "c" * 128)
    async with open_registry(database.url) as registry:
        await registry.tenants.create(tenant)
        await registry.apply(WantedChangeSet(tenant, wanted), by)
        await registry.apply(WantedChangeSet(tenant, longer), by)
    async with control_plane(database.url, stack.urls.kafka):
        await eventually(lambda: all_published(database.url))
    received = (await _received(stack, [tenant]))[tenant]
    assert received == (await _committed(database))[tenant]
    assert [(each.revision, len(each.changes)) for each in received] == [(1, MAX_CHANGES), (2, MAX_CHANGES)]


async def test_locked_tenant_is_busy_and_other_tenants_are_not(stack: Stack, database: Database) -> None:
    held, free = a_tenant(), a_tenant()
    async with control_plane(
        database.url, stack.urls.kafka, request_deadline_seconds=1, postgres_pool_size=2
    ) as client:
        for tenant in (held, free):
            await client.put(f"/tenants/{tenant}")
        async with _connected(database) as other, other.transaction():
            await other.execute("SELECT FROM tenants WHERE name = $1 FOR UPDATE", held)
            async with asyncio.TaskGroup() as tasks:
                stuck = [
                    tasks.create_task(
                        client.put(f"/tenants/{held}/routes/a/b/v{n}", json={"url": "https://one.example/"})
                    )
                    for n in range(8)
                ]
                for n in range(8):
                    put = await client.put(f"/tenants/{free}/routes/a/b/v{n}", json={"url": "https://one.example/"})
                    assert put.status_code == 201, put.text
            assert {each.result().status_code for each in stuck} == {503}
            assert any(each.result().json()["type"].endswith("tenant-busy") for each in stuck)
        answer = await client.put(f"/tenants/{held}/routes/a/b/c", json={"url": "https://one.example/"})
        assert (answer.status_code, answer.json()["revision"]) == (201, 1)
