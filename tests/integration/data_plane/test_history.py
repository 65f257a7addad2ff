"""Changes while the replica lags, and events that come twice or in another order."""

import asyncio
import random

import pytest

from data_plane.composition.connect import ResolverProcess
from deploy.local.stack import Stack
from shared.schemas.events import RouteChanged
from shared.schemas.identity import RouteKey
from tests.contract.test_route_cache_contract import redis_cache
from tests.integration.data_plane.conftest import Standby, Start
from tests.support.answer_recorder import AnswerRecorder, recording_answers
from tests.support.factories import a_tenant
from tests.support.kafka import produce
from tests.support.route_writer import RouteWriter

SHORT = {"positive_ttl_seconds": 0.3, "negative_ttl_seconds": 0.1}
"""Lives so short that entries are loaded again all the time."""


@pytest.mark.parametrize("with_primary", [True, False])
async def test_while_the_replica_lags_no_instance_goes_back_and_all_answer_the_change(
    stack: Stack, routes: RouteWriter, start: Start, standby: Standby, with_primary: bool
) -> None:
    key = RouteKey(a_tenant(), "payments", "prod", "v1")
    await produce(stack.urls.kafka, await routes.put(key, "https://v1"))
    await standby.follow()
    servers = SHORT if with_primary else {**SHORT, "postgres_url": None}
    async with start(**servers) as one, start(**servers) as two, recording_answers(key, one, two) as watches:
        for watch in watches:
            await watch.until("https://v1")
        await standby.pause()
        for version in range(2, 12):
            url = f"https://v{version}" if version % 4 else None
            await produce(stack.urls.kafka, await routes.put(key, url))
            for watch in watches:
                await watch.until(url)
        await asyncio.sleep(2 * SHORT["positive_ttl_seconds"])
        assert [await _url(watch) for watch in watches] == ["https://v11", "https://v11"]
        await standby.resume()
        for watch in watches:
            await watch.until("https://v11")


async def test_a_change_nobody_hears_of_is_answered_when_the_life_is_over(routes: RouteWriter, start: Start) -> None:
    key, life = RouteKey(a_tenant(), "payments", "prod", "v1"), 1.0
    await routes.put(key, "https://v1")
    lives = {"positive_ttl_seconds": life, "negative_ttl_seconds": life}
    async with start(**lives) as one, start(**lives) as two, recording_answers(key, one, two) as watches:
        for watch in watches:
            await watch.until("https://v1")
        await routes.put(key, "https://v2")
        committed = asyncio.get_running_loop().time()
        for watch in watches:
            await watch.until("https://v2")
            fresh = [asked for asked, answer in watch.answers if answer.entry.revision == 1 and not answer.stale]
            assert max(fresh) < committed + life


async def test_events_that_come_twice_and_in_any_order_leave_the_caches_as_the_database_is(
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
        assert found.url == url
    await shared.close()


def _shuffled(events: list[RouteChanged], choice: random.Random) -> list[RouteChanged]:
    """Each event once to three times, each somewhere near its place."""
    many = [
        (place + choice.uniform(-15, 15), event)
        for place, event in enumerate(events)
        for _ in range(choice.choice((1, 1, 2, 3)))
    ]
    return [event for _, event in sorted(many, key=lambda each: each[0])]


async def _url(watch: AnswerRecorder) -> str | None:
    answer = await watch.ask()
    return answer.entry.url if answer else "nobody can tell"
