"""Resolving while servers are down, frozen or empty."""

import asyncio

import pytest

from data_plane.errors import RouteUnknown
from deploy.local.stack import Stack
from shared.schemas.identity import RouteKey
from tests.support.active_values import url_of
from tests.support.answer_recorder import AnswerRecorder, recording_answers
from tests.support.factories import a_tenant
from tests.support.kafka import produce
from tests.support.resolver_adapters import redis_cache
from tests.support.resolver_process import StartResolver
from tests.support.route_writer import RouteWriter
from tests.support.standby import Standby
from tests.support.waiting import eventually


@pytest.fixture
def key() -> RouteKey:
    return RouteKey(a_tenant(), "payments", "prod", "v1")


def _another(key: RouteKey, number: int = 1) -> RouteKey:
    return RouteKey(key.tenant, f"another-{number}", "prod", "v1")


async def test_restart_of_an_empty_redis_brings_no_old_value_back(
    stack: Stack, routes: RouteWriter, start: StartResolver, standby: Standby, key: RouteKey
) -> None:
    ttls = {"positive_ttl_seconds": 0.3, "negative_ttl_seconds": 0.1}
    await routes.put(key, "https://v1")
    await standby.catch_up()
    async with start(**ttls) as one, start(**ttls) as two, recording_answers(key, one, two) as recorders:
        for recorder in recorders:
            await recorder.until("https://v1")
        await standby.pause()
        await stack.redis.stop()
        await produce(stack.urls.kafka, await routes.put(key, "https://v2"))
        for recorder in recorders:
            await recorder.until("https://v2")
        await stack.redis.start()
        shared = redis_cache(stack.urls.redis)

        async def is_written() -> bool:
            found = await shared.get(key)
            return found is not None and url_of(found) == "https://v2"

        await eventually(is_written)
        await shared.close()
        await eventually(lambda: _has_no_pending_writes(recorders))
        assert all(recorder.refused == 0 for recorder in recorders)


async def _has_no_pending_writes(recorders: list[AnswerRecorder]) -> bool:
    return not any(recorder.instance.core.l2.has_pending() for recorder in recorders)


async def test_breaker_opens_after_a_few_calls_to_a_frozen_redis(
    stack: Stack, routes: RouteWriter, start: StartResolver, key: RouteKey
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


async def test_frozen_kafka_delays_changes_by_at_most_the_ttl(
    stack: Stack, routes: RouteWriter, start: StartResolver, key: RouteKey
) -> None:
    ttl = 1.0
    await routes.put(key, "https://v1")
    async with start(positive_ttl_seconds=ttl) as instance, recording_answers(key, instance) as [recorder]:
        await recorder.until("https://v1")
        await stack.kafka.freeze()
        try:
            late = await routes.put(_another(key), "https://late")
            await routes.put(key, "https://v2")
            committed = asyncio.get_running_loop().time()
            await recorder.until("https://v2")
            old = [
                requested_at
                for requested_at, answer in recorder.answers
                if answer.entry.revision == 1 and not answer.stale
            ]
            assert max(old) < committed + ttl
        finally:
            await stack.kafka.thaw()
        await produce(stack.urls.kafka, late)
        await eventually(lambda: _is_applied(instance.metrics.exposition()))
        answer = await AnswerRecorder(instance, _another(key)).resolve()
        assert answer is not None
        assert url_of(answer.entry) == "https://late"
        # An event ttls from the change on, however long it was under way; what is read again ttls longer.
        assert answer.layer != "l1" or answer.entry.expires_at < committed + ttl


async def _is_applied(metrics: bytes) -> bool:
    return _sample(metrics, 'tm_events_total{outcome="applied",topic="route-events"}') > 0


async def test_without_databases_cached_routes_are_answered_and_others_refused(
    stack: Stack, routes: RouteWriter, start: StartResolver, key: RouteKey
) -> None:
    ttls = {"positive_ttl_seconds": 0.3, "negative_ttl_seconds": 0.1}
    unknown = _another(key)
    await routes.put(key, "https://v1")
    await routes.put(unknown, "https://exists")
    async with start(**ttls) as instance:
        recorder = AnswerRecorder(instance, key)
        await recorder.until("https://v1")
        await stack.replica.stop()
        await stack.postgres.stop()
        try:
            await eventually(lambda: _is_stale(recorder))
            assert recorder.refused == 0
            with pytest.raises(RouteUnknown):
                await instance.core.resolver.resolve(unknown)
            async with start(**ttls) as new:
                # A new instance knows what Redis has kept.
                answer = await new.core.resolver.resolve(key)
                assert (url_of(answer.entry), answer.layer, answer.stale) == ("https://v1", "redis", True)
        finally:
            await stack.postgres.start()
            await stack.replica.start()
        await AnswerRecorder(instance, unknown).until("https://exists")


async def _is_stale(recorder: AnswerRecorder) -> bool:
    answer = await recorder.resolve()
    assert answer is not None
    assert url_of(answer.entry) == "https://v1"
    return answer.stale
