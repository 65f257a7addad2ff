"""No answer goes back to an older revision: lagging replicas, lost, duplicated and reordered events."""

import asyncio
import random

import pytest

from data_plane.composition.connect import ResolverProcess
from deploy.local.stack import Stack
from shared.schemas.events import RouteChanged
from shared.schemas.identity import RouteKey
from tests.support.active_values import url_of
from tests.support.answer_recorder import AnswerRecorder, recording_answers
from tests.support.factories import a_tenant
from tests.support.kafka import produce
from tests.support.resolver_adapters import redis_cache
from tests.support.resolver_process import StartResolver
from tests.support.route_writer import RouteWriter
from tests.support.standby import Standby

SHORT_TTLS = {"positive_ttl_seconds": 0.3, "negative_ttl_seconds": 0.1}
"""TTLs so short that entries are loaded continuously."""


@pytest.mark.parametrize("with_primary", [True, False])
async def test_lagging_replica_takes_no_instance_back(
    stack: Stack, routes: RouteWriter, start: StartResolver, standby: Standby, with_primary: bool
) -> None:
    key = RouteKey(a_tenant(), "payments", "prod", "v1")
    await produce(stack.urls.kafka, await routes.put(key, "https://v1"))
    await standby.catch_up()
    servers = SHORT_TTLS if with_primary else {**SHORT_TTLS, "postgres_url": None}
    async with start(**servers) as one, start(**servers) as two, recording_answers(key, one, two) as recorders:
        for recorder in recorders:
            await recorder.until("https://v1")
        await standby.pause()
        for version in range(2, 12):
            url = f"https://v{version}" if version % 4 else None
            await produce(stack.urls.kafka, await routes.put(key, url))
            for recorder in recorders:
                await recorder.until(url)
        await asyncio.sleep(2 * SHORT_TTLS["positive_ttl_seconds"])
        assert [await _url(recorder) for recorder in recorders] == ["https://v11", "https://v11"]
        await standby.resume()
        for recorder in recorders:
            await recorder.until("https://v11")


async def test_change_without_an_event_is_answered_after_the_ttl(routes: RouteWriter, start: StartResolver) -> None:
    key, ttl = RouteKey(a_tenant(), "payments", "prod", "v1"), 1.0
    await routes.put(key, "https://v1")
    ttls = {"positive_ttl_seconds": ttl, "negative_ttl_seconds": ttl}
    async with start(**ttls) as one, start(**ttls) as two, recording_answers(key, one, two) as recorders:
        for recorder in recorders:
            await recorder.until("https://v1")
        await routes.put(key, "https://v2")
        committed = asyncio.get_running_loop().time()
        for recorder in recorders:
            await recorder.until("https://v2")
            fresh = [
                requested_at
                for requested_at, answer in recorder.answers
                if answer.entry.revision == 1 and not answer.stale
            ]
            assert max(fresh) < committed + ttl


async def test_duplicated_and_reordered_events_leave_caches_equal_to_the_database(
    stack: Stack, routes: RouteWriter, pair: tuple[ResolverProcess, ResolverProcess]
) -> None:
    choice = random.Random(20260101)
    tenant = a_tenant()
    keys = [RouteKey(tenant, f"service-{number}", "prod", "v1") for number in range(5)]
    events, urls = [], dict[RouteKey, str | None]()
    for number in range(60):
        key = choice.choice(keys)
        urls[key] = None if number % 7 == 0 else f"https://example.com/{number}"
        events.append(await routes.put(key, urls[key]))
    await produce(stack.urls.kafka, *_shuffled(events, choice))
    shared = redis_cache(stack.urls.redis)
    for key, url in urls.items():
        for instance in pair:
            await AnswerRecorder(instance, key).until(url)
        found = await shared.get(key)
        assert found is not None
        assert url_of(found) == url
    await shared.close()


def _shuffled(events: list[RouteChanged], choice: random.Random) -> list[RouteChanged]:
    """Each event one to three times, near its original position."""
    many = [
        (place + choice.uniform(-15, 15), event)
        for place, event in enumerate(events)
        for _ in range(choice.choice((1, 1, 2, 3)))
    ]
    return [event for _, event in sorted(many, key=lambda each: each[0])]


async def _url(recorder: AnswerRecorder) -> str | None:
    answer = await recorder.resolve()
    return url_of(answer.entry) if answer else "route unknown"
