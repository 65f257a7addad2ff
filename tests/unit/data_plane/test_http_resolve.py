"""GET /api/v1/resolve over fakes."""

from collections.abc import AsyncIterator

import httpx2
import pytest

from tests.fakes.data_plane_world import KEY, World
from tests.support.resolver_client import client_of

PATH = "/api/v1/resolve/team-a/payments/prod/v1"


@pytest.fixture
def world() -> World:
    return World()


@pytest.fixture
async def http(world: World) -> AsyncIterator[httpx2.AsyncClient]:
    """A client of one instance in the world."""
    async with client_of(world.instance()) as client:
        yield client


async def test_active_route_is_answered_with_url_and_remaining_ttl(world: World, http: httpx2.AsyncClient) -> None:
    world.database.commit(KEY, "https://v1")
    await http.get(PATH)
    world.clock.advance(12.7)
    answer = await http.get(PATH, headers={"X-Correlation-ID": "req-1"})
    assert answer.status_code == 200
    assert answer.json() == {
        "tenant": "team-a",
        "service": "payments",
        "env": "prod",
        "version": "v1",
        "url": "https://v1",
        "revision": 1,
    }
    expected = {"etag": '"1"', "cache-control": "max-age=47", "age": "12", "x-cache": "l1", "x-correlation-id": "req-1"}
    assert expected.items() <= dict(answer.headers).items()


async def test_404_is_the_same_for_deactivated_never_created_and_unknown_tenant(
    world: World, http: httpx2.AsyncClient
) -> None:
    world.database.commit(KEY, "https://v1")
    world.database.commit(KEY, None)
    paths = (PATH, "/api/v1/resolve/team-a/payments/prod/v9", "/api/v1/resolve/unknown/payments/prod/v1")
    answers = [await http.get(path, headers={"X-Correlation-ID": "req-1"}) for path in paths]
    for path, answer in zip(paths, answers, strict=True):
        key = path.removeprefix("/api/v1/resolve/").replace("/", ":")
        assert answer.status_code == 404
        assert (answer.headers["x-cache"], answer.headers["cache-control"]) == ("replica; negative", "max-age=10")
        assert answer.json() == {
            "type": "urn:traffic-manager:problem:no-active-route",
            "title": "No active route",
            "status": 404,
            "detail": f"{key} has no active route; create or activate it in the control API.",
            "correlation_id": "req-1",
        }


async def test_400_names_every_malformed_path_part(http: httpx2.AsyncClient) -> None:
    answer = await http.get("/api/v1/resolve/A/ok/-x/v%3A1")
    assert answer.status_code == 400
    assert [each["pointer"] for each in answer.json()["errors"]] == ["/tenant", "/env", "/version"]


@pytest.mark.parametrize("offered", ['"1"', 'W/"1"', '"7", W/"1"', "*"])
async def test_matching_if_none_match_gets_304(world: World, http: httpx2.AsyncClient, offered: str) -> None:
    world.database.commit(KEY, "https://v1")
    answer = await http.get(PATH, headers={"If-None-Match": offered})
    assert (answer.status_code, answer.content, answer.headers["etag"]) == (304, b"", '"1"')
    assert answer.headers["x-cache"] == "replica"


@pytest.mark.parametrize("offered", ['"2"', '"11"', "1", ""])
async def test_other_if_none_match_gets_the_route(world: World, http: httpx2.AsyncClient, offered: str) -> None:
    world.database.commit(KEY, "https://v1")
    assert (await http.get(PATH, headers={"If-None-Match": offered})).status_code == 200


async def test_stale_answer_is_marked_and_max_stale_zero_refuses_it(world: World, http: httpx2.AsyncClient) -> None:
    world.database.commit(KEY, "https://v1")
    await http.get(PATH)
    world.all_databases(down=True)
    world.redis.is_down = True
    world.clock.advance(61)
    stale = await http.get(PATH)
    assert (stale.status_code, stale.headers["x-cache"]) == (200, "l1; stale")
    assert (stale.headers["age"], stale.headers["cache-control"]) == ("61", "max-age=0")
    refused = await http.get(PATH, headers={"Cache-Control": "no-transform, max-stale=0"})
    assert (refused.status_code, refused.headers["retry-after"]) == (503, "1")
    assert refused.json()["type"] == "urn:traffic-manager:problem:route-unknown"
    assert (await http.get(PATH, headers={"Cache-Control": "max-stale=05"})).status_code == 200


async def test_stale_negative_answer_is_a_marked_404(world: World, http: httpx2.AsyncClient) -> None:
    await http.get(PATH)
    world.all_databases(down=True)
    world.redis.is_down = True
    world.clock.advance(11)
    answer = await http.get(PATH)
    assert (answer.status_code, answer.headers["x-cache"]) == (404, "l1; negative; stale")


async def test_unavailable_sources_give_503_and_never_404(world: World, http: httpx2.AsyncClient) -> None:
    world.all_databases(down=True)
    answer = await http.get(PATH)
    assert (answer.status_code, answer.headers["retry-after"]) == (503, "1")
    assert str(KEY) in answer.json()["detail"]


async def test_openapi_document_has_examples(http: httpx2.AsyncClient) -> None:
    schema = (await http.get("/schema/openapi.json")).json()
    resolve = schema["paths"]["/api/v1/resolve/{tenant}/{service}/{env}/{version}"]["get"]
    expected = {"200", "304", "400", "401", "403", "404", "409", "415", "429", "431", "503"}
    assert set(resolve["responses"]) == expected
    assert resolve["tags"] == ["Resolve"]
    assert "examples" in resolve["responses"]["200"]["content"]["application/json"]
    assert all({"example", "examples"} & each.keys() for each in resolve["parameters"])
    assert (await http.get("/schema")).status_code == 200


async def test_resolutions_are_counted_by_layer_and_result(world: World, http: httpx2.AsyncClient) -> None:
    world.database.commit(KEY, "https://v1")
    await http.get(PATH)
    await http.get(PATH)
    await http.get("/api/v1/resolve/team-a/payments/prod/v9")
    metrics = (await http.get("/metrics")).text
    for line in (
        'tm_resolutions_total{layer="replica",result="found"} 1.0',
        'tm_resolutions_total{layer="l1",result="found"} 1.0',
        'tm_resolutions_total{layer="replica",result="negative"} 1.0',
        'tm_cache_lookups_total{layer="l1",outcome="hit"} 1.0',
        'tm_cache_lookups_total{layer="redis",outcome="miss"} 2.0',
        'tm_cache_writes_total{layer="redis",outcome="stored"} 2.0',
        'tm_cache_entries{kind="positive"} 1.0',
        'tm_cache_entries{kind="never_created"} 1.0',
        'tm_loads_total{outcome="loaded"} 2.0',
        "tm_revision_regressions_total 0.0",
    ):
        assert line in metrics.splitlines()
