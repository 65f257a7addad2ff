"""POST /api/v1/resolve: each key is answered separately."""

import json
from typing import Any

import pytest

from data_plane.domain.bulk_answer import Result
from data_plane.domain.read_consistency import ReadConsistency
from shared.runtime.access.assembly import Access
from shared.runtime.access.open_access import OpenAccess
from shared.runtime.service import Service
from shared.schemas.access import Role
from shared.schemas.identity import RouteKey
from tests.fakes.data_plane_world import KEY, Instance, World
from tests.support.access import AccessFixture, bearer
from tests.support.asgi import Request, response_messages
from tests.support.resolver_client import app_of

ROUTE = {"tenant": "team-a", "service": "payments", "env": "prod", "version": "v1", "url": "https://v1", "revision": 1}


@pytest.fixture
def world() -> World:
    return World()


async def _post(instance: Instance, body: Any, access: Access, *headers: tuple[bytes, bytes]) -> tuple[int, Any]:
    start, end = await _send(instance, body, access, *headers)
    return start["status"], json.loads(end["body"])


async def _send(instance: Instance, body: Any, access: Access, *headers: tuple[bytes, bytes]) -> tuple[Any, Any]:
    app = app_of(instance, access)
    sent = body if isinstance(body, bytes) else json.dumps(body).encode()
    start, end = await response_messages(app, Request("/api/v1/resolve", "POST", headers=headers, body=sent))
    return start, end


async def _resolve(instance: Instance, *keys: Any) -> list[Any]:
    status, body = await _post(instance, {"keys": keys}, Access(OpenAccess()))
    assert status == 200, body
    return list(body["answers"])


async def test_answers_are_in_the_order_of_the_keys(world: World) -> None:
    world.database.commit(KEY, "https://v1")
    answers = await _resolve(world.instance(), "team-a:payments:prod:v9", "payments", str(KEY), 5)
    assert [each["result"] for each in answers] == ["not_found", "invalid", "found", "invalid"]
    assert answers[2] == {"result": "found", "route": ROUTE, "max_age": 60}


async def test_cached_route_is_answered_without_a_load(world: World) -> None:
    world.database.commit(KEY, "https://v1")
    instance = world.instance()
    before = await _resolve(instance, str(KEY))
    reads = world.replica.reads
    assert await _resolve(instance, str(KEY)) == before
    assert world.replica.reads == reads


async def test_a_key_may_be_an_object(world: World) -> None:
    world.database.commit(KEY, "https://v1")
    parts = {"tenant": "team-a", "service": "payments", "env": "prod", "version": "v1"}
    answers = await _resolve(world.instance(), parts, {**parts, "version": ""}, {**parts, "port": "80"})
    assert [each["result"] for each in answers] == ["found", "invalid", "invalid"]
    assert answers[1]["errors"][0]["pointer"] == "/version"


@pytest.mark.parametrize(
    "text", ["team-a/payments/prod/v1", "team-a:payments:prod/v1", "team-a:payments:prod:v1:", "", "ä:b:c:d", "\x00"]
)
async def test_text_that_resembles_a_cached_key_is_invalid(world: World, text: str) -> None:
    instance = world.instance()
    await instance.core.applier.apply([world.database.commit(KEY, "https://v1")])
    assert [each["result"] for each in await _resolve(instance, text)] == ["invalid"]


async def test_key_without_available_source_does_not_fail_the_others(world: World) -> None:
    instance = world.instance()
    await instance.core.applier.apply([world.database.commit(KEY, "https://v1")])
    world.all_databases(down=True)
    answers = await _resolve(instance, str(RouteKey("team-a", "other", "prod", "v1")), str(KEY))
    assert [each["result"] for each in answers] == ["unavailable", "found"]


async def test_stale_answer_is_marked(world: World) -> None:
    instance = world.instance()
    await instance.core.applier.apply([world.database.commit(KEY, "https://v1")])
    world.all_databases(down=True)
    world.redis.is_down = True
    world.clock.advance(61)
    assert await _resolve(instance, str(KEY)) == [{"result": "found", "route": ROUTE, "stale": True}]


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
async def test_malformed_request_gets_a_problem(world: World, body: Any, status: int) -> None:
    answered, problem = await _post(world.instance(), body, Access(OpenAccess()))
    assert (answered, problem["status"]) == (status, status)


async def test_routes_of_another_tenant_look_never_created(world: World) -> None:
    gate, instance = AccessFixture(Service.DATA_PLANE, clock=world.clock), world.instance()
    await instance.core.applier.apply([world.database.commit(KEY, "https://v1")])
    [(name, value)] = bearer(gate.admit(Role.RESOLVER, "team-b")).items()
    absent, wrong = "team-b:payments:prod:v1", "team-a:payments:prod:"
    keys = {"keys": [absent, str(KEY), "team-a:never:prod:v1", wrong]}
    status, body = await _post(instance, keys, gate.access, (name.lower().encode(), value.encode()))
    assert status == 200
    assert [each["result"] for each in body["answers"]] == ["not_found", "not_found", "not_found", "invalid"]
    assert body["answers"][0] == body["answers"][1] == body["answers"][2]


async def test_concealed_route_is_not_counted_as_found(world: World) -> None:
    instance = world.instance()
    await instance.core.applier.apply([world.database.commit(KEY, "https://v1")])
    await instance.core.bulk.resolve([str(KEY)], of="team-b")
    instance.metrics.refresh()
    assert instance.count("tm_resolutions_total", result="found", layer="l1") == 0


async def test_staleness_bound_covers_every_answer(world: World) -> None:
    instance = world.instance()
    other = RouteKey("team-b", "payments", "prod", "v1")
    await instance.core.applier.apply([world.database.commit(KEY, "https://v1")])
    world.clock.advance(20)
    await instance.core.applier.apply([world.database.commit(other, "https://v1")])
    assert await _bound(instance, other) == pytest.approx(0, abs=0.1)
    assert await _bound(instance, KEY, other) == pytest.approx(20, abs=0.1)
    instance.apply_heartbeat()
    world.clock.advance(2)
    assert await _bound(instance, KEY, other) == pytest.approx(2, abs=0.1)


async def test_staleness_bound_is_at_least_that_of_each_answer(world: World) -> None:
    instance = world.instance()
    world.database.commit(KEY, "https://v1")
    world.replica.stop_here()
    world.clock.advance(4)
    absent = RouteKey("team-a", "never", "prod", "v1")
    singly = [(await instance.resolve(key)).bound for key in (KEY, absent)]
    assert None not in singly
    assert (await _bound(instance, KEY, absent) or 0) >= max(each for each in singly if each is not None)


async def test_one_unknown_staleness_bound_makes_the_total_unknown(world: World) -> None:
    instance = world.instance(knows_primary_time=False)
    world.database.commit(KEY, "https://v1")
    assert await _bound(instance, KEY) is None
    assert await _bound(instance, KEY) is None  # from L1


async def test_read_consistency_applies_to_each_key(world: World) -> None:
    instance = world.instance(resolve_deadline_seconds=0.1)
    await instance.core.applier.apply([world.database.commit(KEY, "https://v1")])
    resolve = instance.core.bulk.resolve
    [reached] = (await resolve([str(KEY)], consistency=ReadConsistency(min_revision=1))).answers
    [missed] = (await resolve([str(KEY)], consistency=ReadConsistency(min_revision=2))).answers
    assert (reached.result, missed.result) == (Result.FOUND, Result.UNAVAILABLE)
    assert "revision 1 of tenant team-a, and the request demands 2" in missed.detail


async def test_max_stale_zero_refuses_stale_answers(world: World) -> None:
    instance = world.instance()
    await instance.core.applier.apply([world.database.commit(KEY, "https://v1")])
    world.all_databases(down=True)
    world.redis.is_down = True
    world.clock.advance(61)
    refuse_stale = (b"cache-control", b"max-stale=0")
    _, body = await _post(instance, {"keys": [str(KEY)]}, Access(OpenAccess()), refuse_stale)
    assert [each["result"] for each in body["answers"]] == ["unavailable"]


async def test_read_consistency_and_staleness_bound_are_headers(world: World) -> None:
    instance = world.instance(resolve_deadline_seconds=0.1)
    await instance.core.applier.apply([world.database.commit(KEY, "https://v1")])
    start, end = await _send(instance, {"keys": [str(KEY)]}, Access(OpenAccess()), (b"x-min-revision", b"7"))
    assert [each["result"] for each in json.loads(end["body"])["answers"]] == ["unavailable"]
    assert dict(start["headers"])[b"x-staleness-bound"] == b"0"
    status, _ = await _post(instance, {"keys": [str(KEY)]}, Access(OpenAccess()), (b"x-min-revision", b"x"))
    assert status == 400


async def _bound(instance: Instance, *keys: RouteKey) -> float | None:
    return (await instance.core.bulk.resolve([str(key) for key in keys])).bound


@pytest.mark.parametrize("key", [5, "\x01" * 200, "\ue000" * 200, "a:b:c:" + "\U0010ffff" * 200, {"tenant": "x" * 300}])
async def test_answer_to_a_thousand_invalid_keys_is_brief(world: World, key: Any) -> None:
    start, end = await _send(world.instance(), {"keys": [key] * 1000}, Access(OpenAccess()))
    answers = json.loads(end["body"])["answers"]
    assert (start["status"], {each["result"] for each in answers}, len(answers)) == (200, {"invalid"}, 1000)
    assert "errors" in answers[0]
    assert len(end["body"]) < 64 * 1024


@pytest.mark.parametrize("body", [b"[" * 5000, b'{"keys":[' + b"[" * 5000, b'{"keys":[' + b"9" * 5000 + b"]}"])
async def test_odd_json_is_a_problem(world: World, body: bytes) -> None:
    status, problem = await _post(world.instance(), body, Access(OpenAccess()))
    assert (status, problem["type"]) == (400, "urn:traffic-manager:problem:invalid-input")
