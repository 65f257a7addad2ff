"""One route through every layer, over HTTP."""

import pytest

from data_plane.composition.connect import ResolverProcess
from deploy.local.stack import Stack
from shared.schemas.identity import RouteKey
from tests.integration.data_plane.conftest import Standby, Start
from tests.support.factories import a_tenant
from tests.support.kafka import produce
from tests.support.resolver_process import resolve_over_http
from tests.support.route_writer import RouteWriter
from tests.support.waiting import eventually


@pytest.fixture
def key() -> RouteKey:
    return RouteKey(a_tenant(), "payments", "prod", "v1")


async def test_every_layer_answers_in_turn(
    routes: RouteWriter, pair: tuple[ResolverProcess, ResolverProcess], standby: Standby, key: RouteKey
) -> None:
    await routes.put(key, "https://v1")
    await routes.heartbeat()  # as the relay does: the replica's age is then known in any case
    await standby.follow()
    one, two = pair
    first, again, other = (
        await resolve_over_http(one, key),
        await resolve_over_http(one, key),
        await resolve_over_http(two, key),
    )
    assert [each.headers["x-cache"] for each in (first, again, other)] == ["replica", "l1", "redis"]
    assert {each.json()["url"] for each in (first, again, other)} == {"https://v1"}


async def test_without_a_replica_the_primary_answers(routes: RouteWriter, start: Start, key: RouteKey) -> None:
    await routes.put(key, "https://v1")
    async with start(replica_urls="") as instance:
        assert (await resolve_over_http(instance, key)).headers["x-cache"] == "primary"


async def test_a_change_is_answered_from_the_process_as_soon_as_its_event_is_heard(
    stack: Stack, routes: RouteWriter, pair: tuple[ResolverProcess, ResolverProcess], standby: Standby, key: RouteKey
) -> None:
    await routes.heartbeat()
    await standby.follow()
    assert (await resolve_over_http(pair[0], key)).headers["x-cache"] == "replica; negative"
    await produce(stack.urls.kafka, await routes.put(key, "https://v1"))
    for instance in pair:

        async def heard(instance: ResolverProcess = instance) -> bool:
            return (await resolve_over_http(instance, key)).status_code == 200

        await eventually(heard)
        assert (await resolve_over_http(instance, key)).headers["x-cache"] == "l1"
    await produce(stack.urls.kafka, await routes.put(key, None))
    for instance in pair:

        async def deactivated(instance: ResolverProcess = instance) -> bool:
            return (await resolve_over_http(instance, key)).headers["x-cache"] == "l1; negative"

        await eventually(deactivated)


async def test_an_instance_starts_without_any_server_and_says_what_is_missing(start: Start, key: RouteKey) -> None:
    nobody = "127.0.0.1:1"
    async with start(
        replica_urls=f"postgresql://{nobody}/x",
        postgres_url=f"postgresql://{nobody}/x",
        redis_url=f"redis://{nobody}/0",
        kafka_bootstrap=nobody,
        kafka_start_seconds=0.5,
    ) as instance:
        answer = await resolve_over_http(instance, key)
        assert (answer.status_code, answer.headers["retry-after"]) == (503, "1")
        dependencies = instance.health.dependencies
        assert {name for name, each in dependencies.items() if each.up is False} == set(dependencies)
        assert "kafka" in instance.health.notes
