"""The OpenAPI document lists exactly the X- and caching headers that responses of each status carry."""

import json
from collections import defaultdict
from collections.abc import Mapping
from typing import Any

import pytest

from tests.fakes.data_plane_world import KEY, World
from tests.support.resolver_client import PATH, app_of, client_of
from tests.support.streaming import open_response

WATCH = f"/api/v1/watch/{KEY.tenant}"
HeadersByStatus = dict[str, set[str]]


def documentable(headers: Mapping[str, Any]) -> set[str]:
    names = {name.lower() for name in headers}
    return {name for name in names if name.startswith("x-")} | names & {"etag", "age", "cache-control"}


def problem_responses(operation: Mapping[str, Any]) -> HeadersByStatus:
    return {status: documentable(answer.get("headers", {})) for status, answer in operation["responses"].items()}


@pytest.fixture
def world() -> World:
    return World()


async def test_resolve_sends_the_documented_headers(world: World) -> None:
    instance = world.instance(resolve_deadline_seconds=0.1)
    sent: HeadersByStatus = defaultdict(set)
    async with client_of(instance) as client:

        async def ask(path: str = PATH, **headers: str) -> None:
            answer = await client.get(path, headers={name.replace("_", "-"): each for name, each in headers.items()})
            sent[str(answer.status_code)] |= documentable(answer.headers)

        await ask()
        await ask("/api/v1/resolve/team-a/Payments/prod/v1")
        await instance.core.applier.apply([world.database.commit(KEY, "https://v1")])
        await ask()
        await ask(If_None_Match='"1"')
        await ask(X_Min_Revision="9")
        world.all_databases(down=True)
        world.clock.advance(4)
        await ask(Cache_Control="max-age=2")
        world.redis.flush()
        await ask("/api/v1/resolve/team-a/other/prod/v1")
        schema = (await client.get("/schema/openapi.json")).json()
    listed = problem_responses(schema["paths"]["/api/v1/resolve/{tenant}/{service}/{env}/{version}"]["get"])
    assert set(sent) == {"200", "304", "400", "404", "409", "503"}
    assert {status: listed[status] for status in sent} == sent


async def test_resolve_many_sends_the_documented_headers(world: World) -> None:
    async with client_of(world.instance()) as client:
        schema = (await client.get("/schema/openapi.json")).json()
        listed = problem_responses(schema["paths"]["/api/v1/resolve"]["post"])
        for content, status in ({"keys": [str(KEY)]}, "200"), ({}, "400"):
            answer = await client.post("/api/v1/resolve", json=content)
            assert (str(answer.status_code), documentable(answer.headers)) == (status, listed[status])


async def test_watch_sends_the_documented_headers(world: World) -> None:
    instance = world.instance()
    await instance.core.applier.apply([world.database.commit(KEY, "https://v1")])
    app = app_of(instance)
    async with open_response(app, "/schema/openapi.json") as answer:
        listed = problem_responses(json.loads(await answer.text())["paths"]["/api/v1/watch/{tenant}"]["get"])
    sent: HeadersByStatus = {}
    for path, query in ((WATCH, ""), (WATCH, "since=x"), ("/api/v1/watch/unknown", ""), (WATCH, "since=7")):
        async with open_response(app, path, query) as answer:
            await answer.event() if not query and path == WATCH else await answer.text()
            sent[str(answer.status)] = documentable(answer.headers)
    assert set(sent) == {"200", "400", "404", "410"}
    assert {status: listed[status] for status in sent} == sent
