"""Many keys in one request: every key is answered by itself."""

import json
from typing import Any

import pytest

from data_plane.app import build_app
from shared.runtime.access.assembly import Access
from shared.runtime.access.open_access import OpenAccess
from shared.runtime.catalogue import Service
from shared.runtime.health import Health
from shared.schemas.access import Role
from shared.schemas.identity import RouteKey
from tests.access import Gate, bearer
from tests.asgi import Request, answer_of
from tests.fakes.data_plane_world import KEY, Instance, World

ROUTE = {"tenant": "team-a", "service": "payments", "env": "prod", "version": "v1", "url": "https://v1", "revision": 1}


@pytest.fixture
def world() -> World:
    return World()


async def _post(instance: Instance, body: Any, access: Access, *headers: tuple[bytes, bytes]) -> tuple[int, Any]:
    core = instance.core
    app = build_app(
        core.resolver,
        core.bulk,
        core.explainer,
        access=access,
        negative_life=10,
        health=Health({}, started=True),
        metrics=instance.metrics,
    )
    sent = body if isinstance(body, bytes) else json.dumps(body).encode()
    start, end = await answer_of(app, Request("/api/v1/resolve", "POST", headers=headers, body=sent))
    return start["status"], json.loads(end["body"])


async def _ask(instance: Instance, *keys: Any) -> list[Any]:
    status, told = await _post(instance, {"keys": keys}, Access(OpenAccess()))
    assert status == 200, told
    return list(told["answers"])


async def test_each_key_has_an_answer_in_its_place(world: World) -> None:
    world.database.commit(KEY, "https://v1")
    told = await _ask(world.instance(), "team-a:payments:prod:v9", "payments", str(KEY), 5)
    assert [each["result"] for each in told] == ["not_found", "invalid", "found", "invalid"]
    assert told[2] == {"result": "found", "route": ROUTE, "max_age": 60}


async def test_a_known_route_is_answered_without_asking_anyone(world: World) -> None:
    world.database.commit(KEY, "https://v1")
    instance = world.instance()
    before = await _ask(instance, str(KEY))
    reads = world.replica.reads
    assert await _ask(instance, str(KEY)) == before
    assert world.replica.reads == reads


async def test_a_key_may_be_an_object(world: World) -> None:
    world.database.commit(KEY, "https://v1")
    parts = {"tenant": "team-a", "service": "payments", "env": "prod", "version": "v1"}
    told = await _ask(world.instance(), parts, {**parts, "version": ""}, {**parts, "port": "80"})
    assert [each["result"] for each in told] == ["found", "invalid", "invalid"]
    assert told[1]["errors"][0]["pointer"] == "/version"


@pytest.mark.parametrize(
    "text", ["team-a/payments/prod/v1", "team-a:payments:prod/v1", "team-a:payments:prod:v1:", "", "ä:b:c:d", "\x00"]
)
async def test_what_only_resembles_a_known_key_is_invalid(world: World, text: str) -> None:
    instance = world.instance()
    await instance.core.applier.apply([world.database.commit(KEY, "https://v1")])
    assert [each["result"] for each in await _ask(instance, text)] == ["invalid"]


async def test_what_nobody_can_tell_is_unavailable_and_does_not_fail_the_others(world: World) -> None:
    instance = world.instance()
    await instance.core.applier.apply([world.database.commit(KEY, "https://v1")])
    world.all_databases(down=True)
    told = await _ask(instance, str(RouteKey("team-a", "other", "prod", "v1")), str(KEY))
    assert [each["result"] for each in told] == ["unavailable", "found"]


async def test_a_stale_answer_says_so(world: World) -> None:
    instance = world.instance()
    await instance.core.applier.apply([world.database.commit(KEY, "https://v1")])
    world.all_databases(down=True)
    world.redis.is_down = True
    world.clock.advance(61)
    assert await _ask(instance, str(KEY)) == [{"result": "found", "route": ROUTE, "stale": True}]


@pytest.mark.parametrize(
    ("body", "status"),
    [
        ({"keys": [str(KEY)] * 1001}, 413),
        ({"keys": []}, 400),
        ({}, 400),
        ({"keys": "a:b:c:d"}, 400),
        ({"keys": [str(KEY)], "other": 1}, 400),
        (b"{", 400),
        (b"", 400),
    ],
)
async def test_a_request_that_cannot_be_answered_is_a_problem(world: World, body: Any, status: int) -> None:
    answered, problem = await _post(world.instance(), body, Access(OpenAccess()))
    assert (answered, problem["status"]) == (status, status)


async def test_another_tenants_routes_are_answered_as_those_that_were_never_made(world: World) -> None:
    gate, instance = Gate(Service.DATA_PLANE, clock=world.clock), world.instance()
    await instance.core.applier.apply([world.database.commit(KEY, "https://v1")])
    [(name, value)] = bearer(gate.admit(Role.RESOLVER, "team-b")).items()
    absent, wrong = "team-b:payments:prod:v1", "team-a:payments:prod:"
    keys = {"keys": [absent, str(KEY), "team-a:never:prod:v1", wrong]}
    status, told = await _post(instance, keys, gate.access, (name.lower().encode(), value.encode()))
    assert status == 200
    assert [each["result"] for each in told["answers"]] == ["not_found", "not_found", "not_found", "invalid"]
    assert told["answers"][0] == told["answers"][1] == told["answers"][2]


async def test_what_no_one_may_see_is_not_counted_as_found(world: World) -> None:
    instance = world.instance()
    await instance.core.applier.apply([world.database.commit(KEY, "https://v1")])
    await instance.core.bulk.resolve([str(KEY)], of="team-b")
    instance.metrics.refresh()
    assert instance.count("tm_resolutions_total", result="found", layer="l1") == 0
