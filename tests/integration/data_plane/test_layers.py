"""One route is resolved by each layer, over HTTP."""

import pytest

from data_plane.composition.connect import ResolverProcess
from deploy.local.stack import Stack
from shared.schemas.identity import RouteKey
from tests.support.factories import a_tenant
from tests.support.kafka import produce
from tests.support.resolver_process import StartResolver, resolve_over_http
from tests.support.route_writer import RouteWriter
from tests.support.standby import Standby
from tests.support.waiting import eventually


@pytest.fixture
def key() -> RouteKey:
    return RouteKey(a_tenant(), "payments", "prod", "v1")


async def test_every_layer_answers_in_turn(
    routes: RouteWriter, pair: tuple[ResolverProcess, ResolverProcess], standby: Standby, key: RouteKey
) -> None:
    await routes.put(key, "https://v1")
    await routes.heartbeat()  # as the relay does, so that the replica's reading is dated
    await standby.catch_up()
    one, two = pair
    first, again, other = (
        await resolve_over_http(one, key),
        await resolve_over_http(one, key),
        await resolve_over_http(two, key),
    )
    assert [each.headers["x-cache"] for each in (first, again, other)] == ["replica", "l1", "redis"]
    assert {each.json()["url"] for each in (first, again, other)} == {"https://v1"}


async def test_primary_answers_without_a_replica(routes: RouteWriter, start: StartResolver, key: RouteKey) -> None:
    await routes.put(key, "https://v1")
    async with start(replica_urls="") as instance:
        assert (await resolve_over_http(instance, key)).headers["x-cache"] == "primary"


async def test_applied_event_is_answered_from_l1(
    stack: Stack, routes: RouteWriter, pair: tuple[ResolverProcess, ResolverProcess], standby: Standby, key: RouteKey
) -> None:
    await routes.heartbeat()
    await standby.catch_up()
    assert (await resolve_over_http(pair[0], key)).headers["x-cache"] == "replica; negative"
    await produce(stack.urls.kafka, await routes.put(key, "https://v1"))
    for instance in pair:

        async def is_applied(instance: ResolverProcess = instance) -> bool:
            return (await resolve_over_http(instance, key)).status_code == 200

        await eventually(is_applied)
        assert (await resolve_over_http(instance, key)).headers["x-cache"] == "l1"
    await produce(stack.urls.kafka, await routes.put(key, None))
    for instance in pair:

        async def deactivated(instance: ResolverProcess = instance) -> bool:
            return (await resolve_over_http(instance, key)).headers["x-cache"] == "l1; negative"

        await eventually(deactivated)


async def test_process_starts_without_any_server_and_reports_them_down(start: StartResolver, key: RouteKey) -> None:
    nowhere = "127.0.0.1:1"
    async with start(
        replica_urls=f"postgresql://{nowhere}/x",
        postgres_url=f"postgresql://{nowhere}/x",
        redis_url=f"redis://{nowhere}/0",
        kafka_bootstrap=nowhere,
        kafka_start_seconds=0.5,
    ) as instance:
        answer = await resolve_over_http(instance, key)
        assert (answer.status_code, answer.headers["retry-after"]) == (503, "1")
        dependencies = instance.health.dependencies
        assert {name for name, each in dependencies.items() if each.up is False} == set(dependencies)
        assert "kafka" in instance.health.notes
