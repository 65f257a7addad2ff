"""Freshness over HTTP: the staleness bound of answers, and the read consistency that callers demand."""

from typing import Any

import pytest

from data_plane.http.request_headers import read_consistency_of
from data_plane.http.responses import staleness_bound_text
from tests.fakes.data_plane_world import KEY, World
from tests.support.resolver_client import PATH, client_of


@pytest.fixture
def world() -> World:
    return World()


async def test_every_answer_has_a_staleness_bound(world: World) -> None:
    instance = world.instance()
    async with client_of(instance) as client:
        absent = await client.get(PATH)
        event = world.database.commit(KEY, "https://v1")
        await instance.core.applier.apply([event])
        world.clock.advance(3)
        found = await client.get(PATH)
        unchanged = await client.get(PATH, headers={"If-None-Match": found.headers["ETag"]})
    assert [each.status_code for each in (absent, found, unchanged)] == [404, 200, 304]
    assert absent.headers["X-Staleness-Bound"] in ("0", "1")
    assert found.headers["X-Staleness-Bound"] == unchanged.headers["X-Staleness-Bound"] == "3001"


async def test_staleness_bound_is_unknown_without_the_primary_time(world: World) -> None:
    async with client_of(world.instance(knows_primary_time=False)) as client:
        assert (await client.get(PATH)).headers["X-Staleness-Bound"] == "unknown"


async def test_unmet_max_age_gets_409_with_the_best_staleness_bound(world: World) -> None:
    instance = world.instance()
    async with client_of(instance) as client:
        await client.get(PATH)
        world.all_databases(down=True)
        world.clock.advance(4)
        answer = await client.get(PATH, headers={"Cache-Control": "max-age=2"})
    assert (answer.status_code, answer.headers["content-type"]) == (409, "application/problem+json")
    assert answer.headers["X-Staleness-Bound"] == "4001"
    assert "is 4001 ms, and the request accepts 2000 ms" in answer.json()["detail"]


async def test_lines_of_cache_control_are_one_list(world: World) -> None:
    instance = world.instance()
    async with client_of(instance) as client:
        await client.get(PATH)
        world.all_databases(down=True)
        world.clock.advance(4)
        lines = [("Cache-Control", "no-cache"), ("Cache-Control", "max-age=60"), ("Cache-Control", "max-age=2")]
        answer = await client.get(PATH, headers=lines)
    assert answer.status_code == 409


@pytest.mark.parametrize(
    ("header", "max_age"),
    [
        (None, None),
        ("no-cache", None),
        ("max-age=0", 0),
        ("no-store, Max-Age = 15, max-stale=0", 15),
        ('max-age="7"', 7),
        ("s-maxage=3", None),
        ("max-age=-1", None),
        ("max-age=1.5", None),
        ("max-age=60, max-age=1", 1),
    ],
)
def test_max_age_is_parsed_as_in_rfc_9111(header: str | None, max_age: float | None) -> None:
    assert read_consistency_of(header).max_age == max_age


@pytest.mark.parametrize(("bound", "text"), [(None, "unknown"), (0.0, "0"), (0.0001, "1"), (1.2, "1200")])
def test_staleness_bound_is_rounded_up_to_milliseconds(bound: float | None, text: str) -> None:
    assert staleness_bound_text(bound) == text


@pytest.mark.parametrize("ask", [{"headers": {"X-Min-Revision": "2"}}, {"params": {"min_revision": "2"}}])
async def test_min_revision_works_as_header_and_as_query_parameter(world: World, ask: dict[str, Any]) -> None:
    world.database.commit(KEY, "https://v1")
    async with client_of(world.instance(resolve_deadline_seconds=0.1)) as client:
        refused = await client.get(PATH, **ask)
        world.database.commit(KEY, "https://v2")
        assert (await client.get(PATH, **ask)).json()["url"] == "https://v2"
    assert (refused.status_code, refused.headers["X-Revision-Reached"]) == (409, "1")
    assert "revision 1 of tenant team-a, and the request demands 2" in refused.json()["detail"]


async def test_malformed_min_revision_gets_400_naming_the_header(world: World) -> None:
    async with client_of(world.instance()) as client:
        answer = await client.get(PATH, headers={"X-Min-Revision": "newest"})
    assert (answer.status_code, answer.json()["errors"][0]["pointer"]) == (400, "/X-Min-Revision")


@pytest.mark.parametrize("method", ["GET", "POST"])
async def test_different_min_revisions_in_header_and_query_get_400_naming_both(world: World, method: str) -> None:
    path, body = (PATH, None) if method == "GET" else ("/api/v1/resolve", {"keys": [str(KEY)]})
    async with client_of(world.instance()) as client:

        async def status(header: str, query: str) -> tuple[int, list[str]]:
            headers, params = {"X-Min-Revision": header}, {"min_revision": query}
            answer = await client.request(method, path, headers=headers, params=params, json=body)
            return answer.status_code, [each["pointer"] for each in answer.json().get("errors", ())]

        assert await status("1", "2") == await status("2", "1") == (400, ["/X-Min-Revision", "/min_revision"])
        assert (await status("0", "00"))[0] != 400


async def test_min_revision_of_many_keys_works_as_query_parameter(world: World) -> None:
    world.database.commit(KEY, "https://v1")
    async with client_of(world.instance(resolve_deadline_seconds=0.1)) as client:
        body = {"keys": [str(KEY)]}
        unmet = await client.post("/api/v1/resolve", params={"min_revision": "2"}, json=body)
        twice = await client.post("/api/v1/resolve", params=[("min_revision", "2"), ("min_revision", "1")], json=body)
    assert (unmet.json()["answers"][0]["result"], twice.status_code) == ("unavailable", 400)
