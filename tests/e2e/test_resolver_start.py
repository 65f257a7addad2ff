"""The warm-up and the cache verifier of a resolver process."""

import httpx2

from tests.support.system import System
from tests.support.waiting import eventually


async def test_resolver_without_a_snapshot_loads_the_hot_keys_of_redis_before_it_is_ready(system: System) -> None:
    key = await system.new_key()
    await system.put(key, "http://used")
    await system.until_resolved(key, "http://used")
    resolver = system.services.add_instance("data_plane", "without-a-snapshot")
    await resolver.start()  # returns when it is ready
    try:
        assert await metric(system.http, resolver.urls[0], 'tm_warm_start_source_info{source="redis"}') == 1
        answer = await system.resolve(resolver.urls[0], key)
        assert (answer.json()["url"], answer.headers["x-cache"]) == ("http://used", "l1")
    finally:
        await resolver.stop()


async def test_resolver_compares_cached_entries_with_the_database(system: System) -> None:
    key, resolver = await system.new_key(), system.resolver_urls[0]
    await system.put(key, "http://compared")
    await system.until_resolved(key, "http://compared")
    before = await metric(system.http, resolver, 'tm_verifier_samples_total{layer="l1"}')

    async def has_compared() -> bool:
        return await metric(system.http, resolver, 'tm_verifier_samples_total{layer="l1"}') > before

    await eventually(has_compared)


async def metric(http: httpx2.AsyncClient, resolver: str, name: str) -> float:
    """The value of this series at the resolver; 0 if it is not exported."""
    lines = (await http.get(f"{resolver}/metrics")).text.splitlines()
    return next((float(line.rsplit(" ", 1)[1]) for line in lines if line.startswith(f"{name} ")), 0.0)
