"""What resolves do while servers are down, frozen or empty."""

import asyncio

import pytest

from data_plane.errors import RouteUnknown
from deploy.local.stack import Stack
from shared.schemas.identity import RouteKey
from tests.contract.test_route_cache_contract import redis_cache
from tests.integration.data_plane.conftest import Standby, Start
from tests.support.answer_recorder import AnswerRecorder, recording_answers
from tests.support.factories import a_tenant
from tests.support.kafka import produce
from tests.support.route_writer import RouteWriter
from tests.support.waiting import eventually


@pytest.fixture
def key() -> RouteKey:
    return RouteKey(a_tenant(), "payments", "prod", "v1")


def _another(key: RouteKey, number: int = 1) -> RouteKey:
    return RouteKey(key.tenant, f"another-{number}", "prod", "v1")


async def test_redis_down_and_back_empty_brings_no_old_value_back(
    stack: Stack, routes: RouteWriter, start: Start, standby: Standby, key: RouteKey
) -> None:
    lives = {"positive_ttl_seconds": 0.3, "negative_ttl_seconds": 0.1}
    await routes.put(key, "https://v1")
    await standby.follow()
    async with start(**lives) as one, start(**lives) as two, recording_answers(key, one, two) as watches:
        for watch in watches:
            await watch.until("https://v1")
        await standby.pause()
        await stack.redis.stop()
        await produce(stack.urls.kafka, await routes.put(key, "https://v2"))
        for watch in watches:
            await watch.until("https://v2")
        await stack.redis.start()
        shared = redis_cache(stack.urls.redis)

        async def is_written() -> bool:
            found = await shared.get(key)
            return found is not None and found.url == "https://v2"

        await eventually(is_written)
        await shared.close()
        await eventually(lambda: _owes_nothing(watches))
        assert all(watch.refused == 0 for watch in watches)


async def _owes_nothing(watches: list[AnswerRecorder]) -> bool:
    return not any(watch.instance.core.shared.has_pending() for watch in watches)


async def test_frozen_redis_is_left_alone_after_a_few_calls(
    stack: Stack, routes: RouteWriter, start: Start, key: RouteKey
) -> None:
    async with start(redis_timeout_seconds=0.05) as instance:
        for number in range(30):
            await routes.put(_another(key, number), f"https://v{number}")
        await stack.redis.freeze()
        try:
            for number in range(30):
                await AnswerRecorder(instance, _another(key, number)).until(f"https://v{number}")
            metrics = instance.metrics.exposition()
            assert b'tm_breaker_state{dependency="redis"} 2.0' in metrics
            calls = _sample(metrics, 'tm_dependency_requests_total{dependency="redis",outcome="timeout"}')
            assert 0 < calls <= 10
        finally:
            await stack.redis.thaw()


def _sample(metrics: bytes, name: str) -> float:
    return next(float(line.split()[-1]) for line in metrics.decode().splitlines() if line.startswith(name))


async def test_while_kafka_is_frozen_answers_stay_within_their_life_and_events_arrive_after(
    stack: Stack, routes: RouteWriter, start: Start, key: RouteKey
) -> None:
    life = 1.0
    await routes.put(key, "https://v1")
    async with start(positive_ttl_seconds=life) as instance, recording_answers(key, instance) as [watch]:
        await watch.until("https://v1")
        await stack.kafka.freeze()
        try:
            late = await routes.put(_another(key), "https://late")
            await routes.put(key, "https://v2")
            committed = asyncio.get_running_loop().time()
            await watch.until("https://v2")
            old = [asked for asked, answer in watch.answers if answer.entry.revision == 1 and not answer.stale]
            assert max(old) < committed + life
        finally:
            await stack.kafka.thaw()
        await produce(stack.urls.kafka, late)
        await eventually(lambda: _is_applied(instance.metrics.exposition()))
        answer = await AnswerRecorder(instance, _another(key)).ask()
        assert answer is not None
        assert answer.entry.url == "https://late"
        # An event lives from the change on, however long it was under way; what is read again lives longer.
        assert answer.layer != "l1" or answer.entry.expires_at < committed + life


async def _is_applied(metrics: bytes) -> bool:
    return _sample(metrics, 'tm_events_total{outcome="applied",topic="route-events"}') > 0


async def test_with_all_databases_down_known_routes_are_answered_and_unknown_ones_refused(
    stack: Stack, routes: RouteWriter, start: Start, key: RouteKey
) -> None:
    lives = {"positive_ttl_seconds": 0.3, "negative_ttl_seconds": 0.1}
    unknown = _another(key)
    await routes.put(key, "https://v1")
    await routes.put(unknown, "https://exists")
    async with start(**lives) as instance:
        watch = AnswerRecorder(instance, key)
        await watch.until("https://v1")
        await stack.replica.stop()
        await stack.postgres.stop()
        try:
            await eventually(lambda: _is_stale(watch))
            assert watch.refused == 0
            with pytest.raises(RouteUnknown):
                await instance.core.resolver.resolve(unknown)
            async with start(**lives) as new:
                # A new instance knows what Redis has kept.
                answer = await new.core.resolver.resolve(key)
                assert (answer.entry.url, answer.layer, answer.stale) == ("https://v1", "redis", True)
        finally:
            await stack.postgres.start()
            await stack.replica.start()
        await AnswerRecorder(instance, unknown).until("https://exists")


async def _is_stale(watch: AnswerRecorder) -> bool:
    answer = await watch.ask()
    assert answer is not None
    assert answer.entry.url == "https://v1"
    return answer.stale
