"""The watch API as a client sees it, over fakes."""

import asyncio
import json
import re

import pytest

from data_plane.http.sse.framing import ROUTES_AT_ONCE
from shared.schemas.access import Role
from shared.schemas.identity import RouteKey
from tests.fakes.data_plane_world import KEY
from tests.support.waiting import eventually
from tests.support.watch_server import QUICK, WatchServer, watch_server_with_a_route


@pytest.fixture
async def server() -> WatchServer:
    return await watch_server_with_a_route()


@pytest.fixture
async def quick() -> WatchServer:
    return await watch_server_with_a_route(**QUICK)


async def test_a_person_can_read_the_stream(server: WatchServer) -> None:
    async with server.watch() as answer:
        await answer.sent("routes")
        await server.change(None)
        await answer.sent("changes")
        server.instance.core.watches.drain()
        text = await answer.text()
    generated = {r"retry: \d+": "retry: n", r"req-\w+": "req-n"}
    for pattern, plain in generated.items():
        text = re.sub(pattern, plain, text)
    assert text == (
        ": watching team-a\n"
        "retry: n\n"
        "\n"
        "event: snapshot\n"
        "id: 1\n"
        'data: {"tenant":"team-a","revision":1,"as_of":"2026-01-01T00:00:00.010Z","routes":[\n'
        'data: {"service":"payments","env":"prod","version":"v1","url":"https://v1","revision":1}\n'
        "data: ]}\n"
        "\n"
        "event: change\n"
        "id: 2\n"
        'data: {"tenant":"team-a","revision":2,"occurred_at":"2026-01-01T00:00:00.010000Z","correlation_id":"req-n","changes":[\n'
        'data: {"action":"deactivated","service":"payments","env":"prod","version":"v1","url":null}\n'
        "data: ]}\n"
        "\n"
        "event: end\n"
        'data: {"reason":"drain"}\n'
        "\n"
    )


async def test_it_is_a_stream_that_no_cache_keeps_and_no_proxy_collects(server: WatchServer) -> None:
    async with server.watch(X_Correlation_ID="req-1") as answer:
        await answer.event()
    assert answer.status == 200
    expected = {
        "content-type": "text/event-stream; charset=utf-8",
        "cache-control": "no-store",
        "x-accel-buffering": "no",
        "x-correlation-id": "req-1",
    }
    assert expected.items() <= answer.headers.items()
    assert "content-length" not in answer.headers


async def test_a_snapshot_is_one_event_however_many_routes_there_are(server: WatchServer) -> None:
    count = 2 * ROUTES_AT_ONCE + 1
    for number in range(1, count):
        server.world.database.commit(RouteKey(KEY.tenant, f"service-{number}", "prod", "v1"), f"https://{number}")
    async with server.watch() as answer:
        snapshot = await answer.event()
    assert (snapshot.id, len(snapshot.data["routes"])) == (str(count), count)


async def test_while_nothing_happens_there_are_signs_of_life_that_say_until_when(quick: WatchServer) -> None:
    quick.instance.hear_heartbeat()
    async with quick.watch() as answer:
        await answer.event()
        first, second = await answer.event(), await answer.event()
        assert {(each.name, each.id) for each in (first, second)} == {("progress", None)}
        assert first.data == {"revision": 1, "as_of": "2026-01-01T00:00:00.010Z"}
        quick.world.clock.advance(2)
        quick.instance.hear_heartbeat()

        async def heard() -> bool:
            return str((await answer.event()).data["as_of"]) == "2026-01-01T00:00:02.010Z"

        await eventually(heard)


async def test_after_a_freeze_there_is_one_sign_of_life_and_not_all_that_were_missed(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    server = WatchServer(watch_progress_seconds=300)
    await server.change("https://v1")
    async with server.watch() as answer:
        await answer.event()
        loop = asyncio.get_running_loop()
        time = loop.time
        monkeypatch.setattr(loop, "time", lambda: time() + 20 * 3600)
        assert (await answer.event()).name == "progress"
        for _ in range(100):
            await asyncio.sleep(0)  # a turn for whatever else is due
        assert answer.body.count(b"event: progress") == 1


@pytest.mark.parametrize(("query", "headers"), [("since=1", {}), ("", {"Last_Event_ID": "1"})])
async def test_a_client_goes_on_from_the_revision_it_has(
    server: WatchServer, query: str, headers: dict[str, str]
) -> None:
    await server.change("https://v2")
    async with server.watch(query, **headers) as answer:
        assert (await answer.event()).id == "2"


async def test_the_last_event_seen_goes_before_where_the_client_once_began(server: WatchServer) -> None:
    await server.change("https://v2")
    await server.change("https://v3")
    async with server.watch("since=1", Last_Event_ID="2") as answer:
        assert (await answer.event()).id == "3"


async def test_a_revision_that_is_not_kept_is_answered_with_the_oldest_that_is(server: WatchServer) -> None:
    async with server.watch("since=7") as answer:
        problem = json.loads(await answer.text())
    assert (answer.status, answer.headers["x-oldest-revision"]) == (410, "0")
    assert problem["type"] == "urn:traffic-manager:problem:revision-gone"
    assert "the oldest to go on from is 0" in problem["detail"]


@pytest.mark.parametrize(("query", "headers"), [("since=x", {}), ("since=-1", {}), ("", {"Last_Event_ID": "1.0"})])
async def test_a_revision_that_is_none_is_refused(server: WatchServer, query: str, headers: dict[str, str]) -> None:
    async with server.watch(query, **headers) as answer:
        assert "must be a revision" in await answer.text()
    assert answer.status == 400


async def test_an_unknown_tenant_is_told_before_any_stream(server: WatchServer) -> None:
    server.key = server.access.admit(Role.ADMIN)
    async with server.get("/api/v1/watch/nobody") as answer:
        assert "There is no tenant nobody" in await answer.text()
    assert (answer.status, answer.headers["content-type"]) == (404, "application/problem+json")


async def test_a_name_that_no_tenant_can_have_is_refused(server: WatchServer) -> None:
    async with server.get("/api/v1/watch/Not_A_Name-") as answer:
        await answer.text()
    assert answer.status == 400


async def test_a_watch_that_cannot_begin_says_when_to_come_again(server: WatchServer) -> None:
    server.instance.core.watches.drain()
    async with server.watch() as answer:
        await answer.text()
    assert (answer.status, answer.headers["retry-after"]) == (503, "1")


async def test_a_tenant_with_too_many_watchers_is_told_so_and_when_to_come_again() -> None:
    server = WatchServer(watch_clients_per_tenant=1)
    await server.change("https://v1")
    async with server.watch() as first:
        await first.event()
        async with server.watch() as second:
            problem = json.loads(await second.text())
    assert (second.status, second.headers["retry-after"]) == (429, "5")
    assert problem["type"] == "urn:traffic-manager:problem:too-many-watchers"


async def test_another_tenants_watcher_is_answered_as_one_of_a_tenant_that_is_not_there(server: WatchServer) -> None:
    server.world.database.commit(RouteKey("team-b", "payments", "prod", "v1"), "https://other")

    async def told(tenant: str) -> tuple[int, dict[str, str], str]:
        async with server.get(f"/api/v1/watch/{tenant}", X_Correlation_ID="req-1") as answer:
            text = await answer.text()
        return answer.status, answer.headers, text.replace(tenant, "<tenant>")

    another, absent = await told("team-b"), await told("nobody")
    server.key = server.access.admit(Role.ADMIN)
    assert another == absent == await told("nobody")
    assert another[0] == 404
