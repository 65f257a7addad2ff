"""GET /api/v1/watch over fakes."""

import asyncio
import json
import re

import pytest

from data_plane.http.sse.framing import ROUTES_PER_CHUNK
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


async def test_stream_is_readable_text(server: WatchServer) -> None:
    async with server.watch() as answer:
        await answer.sent("routes")
        await server.change(None)
        await answer.sent("changes")
        server.instance.core.watch_hub.drain()
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


async def test_stream_headers_forbid_caching_and_buffering(server: WatchServer) -> None:
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


async def test_snapshot_with_many_routes_is_one_event(server: WatchServer) -> None:
    count = 2 * ROUTES_PER_CHUNK + 1
    for number in range(1, count):
        server.world.database.commit(RouteKey(KEY.tenant, f"service-{number}", "prod", "v1"), f"https://{number}")
    async with server.watch() as answer:
        snapshot = await answer.event()
    assert (snapshot.id, len(snapshot.data["routes"])) == (str(count), count)


async def test_idle_stream_sends_progress_events_with_the_covered_time(quick: WatchServer) -> None:
    quick.instance.apply_heartbeat()
    async with quick.watch() as answer:
        await answer.event()
        first, second = await answer.event(), await answer.event()
        assert {(each.name, each.id) for each in (first, second)} == {("progress", None)}
        assert first.data == {"revision": 1, "as_of": "2026-01-01T00:00:00.010Z"}
        quick.world.clock.advance(2)
        quick.instance.apply_heartbeat()

        async def is_covered() -> bool:
            return str((await answer.event()).data["as_of"]) == "2026-01-01T00:00:02.010Z"

        await eventually(is_covered)


async def test_stream_sends_one_progress_event_after_a_freeze(
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
            await asyncio.sleep(0)  # one iteration of the event loop, for whatever else is due
        assert answer.body.count(b"event: progress") == 1


@pytest.mark.parametrize(("query", "headers"), [("since=1", {}), ("", {"Last_Event_ID": "1"})])
async def test_client_resumes_after_its_revision(server: WatchServer, query: str, headers: dict[str, str]) -> None:
    await server.change("https://v2")
    async with server.watch(query, **headers) as answer:
        assert (await answer.event()).id == "2"


async def test_last_event_id_takes_precedence_over_since(server: WatchServer) -> None:
    await server.change("https://v2")
    await server.change("https://v3")
    async with server.watch("since=1", Last_Event_ID="2") as answer:
        assert (await answer.event()).id == "3"


async def test_unknown_revision_gets_410_with_the_oldest_revision(server: WatchServer) -> None:
    async with server.watch("since=7") as answer:
        problem = json.loads(await answer.text())
    assert (answer.status, answer.headers["x-oldest-revision"]) == (410, "0")
    assert problem["type"] == "urn:traffic-manager:problem:revision-gone"
    assert "resumes from 0 at the earliest" in problem["detail"]


@pytest.mark.parametrize(("query", "headers"), [("since=x", {}), ("since=-1", {}), ("", {"Last_Event_ID": "1.0"})])
async def test_malformed_revision_gets_400(server: WatchServer, query: str, headers: dict[str, str]) -> None:
    async with server.watch(query, **headers) as answer:
        assert "must be a revision" in await answer.text()
    assert answer.status == 400


async def test_unknown_tenant_gets_404_before_any_stream(server: WatchServer) -> None:
    server.key = server.access.admit(Role.ADMIN)
    async with server.get("/api/v1/watch/team-c") as answer:
        assert "There is no tenant team-c" in await answer.text()
    assert (answer.status, answer.headers["content-type"]) == (404, "application/problem+json")


async def test_malformed_tenant_name_gets_400(server: WatchServer) -> None:
    async with server.get("/api/v1/watch/Not_A_Name-") as answer:
        await answer.text()
    assert answer.status == 400


async def test_draining_instance_answers_503_with_retry_after(server: WatchServer) -> None:
    server.instance.core.watch_hub.drain()
    async with server.watch() as answer:
        await answer.text()
    assert (answer.status, answer.headers["retry-after"]) == (503, "1")


async def test_tenant_above_its_watch_limit_gets_429_with_retry_after() -> None:
    server = WatchServer(watch_clients_per_tenant=1)
    await server.change("https://v1")
    async with server.watch() as first:
        await first.event()
        async with server.watch() as second:
            problem = json.loads(await second.text())
    assert (second.status, second.headers["retry-after"]) == (429, "5")
    assert problem["type"] == "urn:traffic-manager:problem:too-many-watchers"


async def test_watch_of_another_tenant_looks_like_an_unknown_tenant(server: WatchServer) -> None:
    server.world.database.commit(RouteKey("team-b", "payments", "prod", "v1"), "https://other")

    async def get(tenant: str) -> tuple[int, dict[str, str], str]:
        async with server.get(f"/api/v1/watch/{tenant}", X_Correlation_ID="req-1") as answer:
            text = await answer.text()
        return answer.status, answer.headers, text.replace(tenant, "<tenant>")

    another, absent = await get("team-b"), await get("team-c")
    server.key = server.access.admit(Role.ADMIN)
    assert another == absent == await get("team-c")
    assert another[0] == 404
