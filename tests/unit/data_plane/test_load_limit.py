"""Limits on what passes L1: loads, bulk requests, explanations and watches of one tenant."""

import pytest

from data_plane.errors import RouteUnknown, TooManyLoads
from shared.schemas.identity import RouteKey
from tests.fakes.data_plane_world import KEY, Instance, World, summary_of
from tests.support.resolver_client import client_of

BURST = 3
PATH = "/api/v1/resolve/team-a/payments/prod"
READS = {
    "bulk": ("POST", "/api/v1/resolve", {"keys": [str(KEY)]}),
    "explain": ("GET", f"{PATH}/v1/explain", None),
    "watch of an unknown tenant": ("GET", "/api/v1/watch/nobody", None),
}


@pytest.fixture
def world() -> World:
    world = World()
    world.database.commit(KEY, "https://v1")
    return world


@pytest.fixture
def instance(world: World) -> Instance:
    return world.instance(tenant_loads_per_second=1, tenant_load_burst=BURST)


def absent(number: int, tenant: str = "team-a") -> RouteKey:
    return RouteKey(tenant, "payments", "prod", f"missing-{number}")


async def load_all(instance: Instance) -> None:
    for number in range(BURST + 1):
        await instance.resolve(absent(number))


async def exhaust(instance: Instance) -> None:
    with pytest.raises(TooManyLoads):
        await load_all(instance)


async def test_loads_beyond_the_limit_are_refused_without_a_read_of_any_source(
    world: World, instance: Instance
) -> None:
    await exhaust(instance)
    gets, reads = world.redis.gets, world.replica.reads
    with pytest.raises(TooManyLoads) as refused:
        await instance.resolve(KEY)
    assert (world.redis.gets, world.replica.reads) == (gets, reads)
    world.clock.advance(refused.value.retry_after)
    assert summary_of(await instance.resolve(KEY)) == "https://v1 replica"


async def test_limit_of_one_tenant_does_not_concern_another(instance: Instance) -> None:
    await exhaust(instance)
    assert summary_of(await instance.resolve(absent(1, "team-b"))).startswith("absent")


async def test_hits_of_l1_are_not_limited(instance: Instance) -> None:
    await instance.resolve(KEY)
    await exhaust(instance)
    for _ in range(100):
        assert summary_of(await instance.resolve(KEY)) == "https://v1 l1"


async def test_known_route_is_served_stale_while_its_tenant_may_load_nothing(world: World, instance: Instance) -> None:
    await instance.resolve(KEY)
    world.clock.advance(instance.settings.positive_ttl_seconds + 1)
    await exhaust(instance)
    assert summary_of(await instance.resolve(KEY)) == "https://v1 l1 stale"
    with pytest.raises((TooManyLoads, RouteUnknown)):
        await instance.resolve(KEY, accept_stale=False)


async def test_refused_load_is_429_with_retry_after(instance: Instance) -> None:
    async with client_of(instance) as client:
        statuses = [(await client.get(f"{PATH}/missing-{number}")).status_code for number in range(BURST)]
        refused = await client.get(f"{PATH}/v1")
    assert statuses == [404] * BURST
    assert (refused.status_code, refused.headers["Retry-After"]) == (429, "1")
    assert refused.json()["type"] == "urn:traffic-manager:problem:too-many-reads"


async def test_refused_key_of_a_bulk_request_is_unavailable(instance: Instance) -> None:
    keys = [str(absent(number)) for number in range(BURST + 2)]
    async with client_of(instance) as client:
        answers = (await client.post("/api/v1/resolve", json={"keys": keys})).json()["answers"]
    assert sorted(each["result"] for each in answers) == ["not_found"] * BURST + ["unavailable"] * 2


@pytest.mark.parametrize("name", READS)
async def test_every_read_beyond_l1_is_limited_and_resolving_a_route_is_not(world: World, name: str) -> None:
    method, path, body = READS[name]
    async with client_of(world.instance(tenant_reads_per_second=0.1, tenant_read_burst=2)) as client:
        for _ in range(2):
            assert (await client.request(method, path, json=body)).status_code in (200, 404)
        refused = await client.request(method, path, json=body)
        assert (refused.status_code, refused.headers["Retry-After"]) == (429, "10")
        assert (await client.get(f"{PATH}/v1")).status_code == 200
        assert (await client.get(f"{PATH}/v9")).status_code == 404
