"""Resolvers with empty caches under three times the usual load: concurrent database queries stay bounded."""

from collections.abc import AsyncIterator

import pytest
from redis.asyncio import Redis

from bench.asking import ask, share_of_good, zipf
from bench.database_load import watching
from deploy.local.server import Server
from tests.support.system import System

USUAL_RATE = 120.0
SURGE_SECONDS, AFTER_SECONDS = 4, 6
MOST_AT_ONCE = 20


@pytest.fixture
async def cold(system: System) -> AsyncIterator[list[Server]]:
    """Two resolvers with empty caches, and an empty Redis."""
    fleet = [
        system.services.add_instance("data_plane", name, {"TM_WARMUP_SECONDS": "0"}) for name in ("cold-1", "cold-2")
    ]
    for resolver in fleet:
        await resolver.start()
    redis = Redis.from_url(system.stack.urls.redis)
    await redis.flushall()
    await redis.aclose()
    yield fleet
    for resolver in fleet:
        await resolver.stop()


async def some_routes(system: System, count: int) -> list[str]:
    """Creates `count` routes of a new tenant; returns them as `tenant/service/env/version`."""
    tenant = await system.new_tenant()
    changes = [
        {"op": "put", "service": f"s{number}", "env": "prod", "version": "v1", "url": f"http://s{number}"}
        for number in range(count)
    ]
    answer = await system.http.post(
        f"{system.control_url}/api/v1/tenants/{tenant}/changes", json={"changes": changes, "reason": "a fleet"}
    )
    assert answer.status_code in (200, 201), answer.text
    return [f"{tenant}/s{number}/prod/v1" for number in range(count)]


async def test_database_queries_stay_bounded_and_resolves_recover_after_redis_was_emptied_under_load(
    system: System, cold: list[Server]
) -> None:
    known = await some_routes(system, 400)
    never_created = [f"{each}-none" for each in known]
    surge = zipf([*known, *never_created], int(3 * USUAL_RATE * SURGE_SECONDS))
    after = zipf([*known, *never_created], int(USUAL_RATE * AFTER_SECONDS), seed=2)
    admin = system.http.headers["Authorization"]
    urls = [each.urls[0] for each in cold]
    servers = {"primary": system.stack.urls.postgres, "replica": system.stack.urls.replicas[0]}
    async with watching(servers) as seen:
        await ask(urls, surge, 3 * USUAL_RATE, authorization=admin)
        answers = await ask(urls, after, USUAL_RATE, authorization=admin)
    assert max(seen["replica"]) > 0, "no query reached the replica"
    assert all(max(looks) <= MOST_AT_ONCE for looks in seen.values())
    assert share_of_good(answers, AFTER_SECONDS - 2, AFTER_SECONDS) >= 0.99
