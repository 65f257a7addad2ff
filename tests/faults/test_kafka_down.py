"""Without Kafka, writes succeed and entries expire by their TTL; after its recovery, every event arrives."""

import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from deploy.local.server import Server
from shared.runtime.access.tokens import AccessKey
from shared.schemas.identity import RouteKey
from tests.support.access import bearer
from tests.support.system import System
from tests.support.waiting import eventually

POSITIVE, NEGATIVE = 4.0, 1.5
SLACK = 1.0
"""Seconds that a loaded machine may take to answer one request."""


@asynccontextmanager
async def resolver_with_short_ttl(system: System, name: str, **settings: str) -> AsyncIterator[Server]:
    """A resolver with a TTL of 4 s (1.5 s for negative entries) instead of 60 s and 10 s."""
    ttl = {"TM_POSITIVE_TTL_SECONDS": str(POSITIVE), "TM_NEGATIVE_TTL_SECONDS": str(NEGATIVE)}
    resolver = system.services.add_instance("data_plane", name, {**ttl, **settings})
    await resolver.start()
    try:
        yield resolver
    finally:
        await resolver.stop()


async def seconds_until(system: System, resolver: Server, key: RouteKey, url: str | None) -> float:
    """The seconds until the resolver returns this URL (None: a 404)."""
    started = time.monotonic()

    async def as_wanted() -> bool:
        return await system.resolved_url(resolver.urls[0], key) == url

    await eventually(as_wanted, within=30)
    return time.monotonic() - started


async def test_writes_succeed_and_entries_expire_without_kafka_and_events_arrive_after(system: System) -> None:
    known, unknown = await system.new_key(), await system.new_key()
    await system.put(known, "http://old")
    await system.until_resolved(known, "http://old")
    async with resolver_with_short_ttl(system, "short-ttl") as resolver:
        await seconds_until(system, resolver, known, "http://old")
        await seconds_until(system, resolver, unknown, None)
        await system.stack.kafka.freeze()
        try:
            await system.put(known, "http://new")
            await system.put(unknown, "http://created-meanwhile")
            created_after = await seconds_until(system, resolver, unknown, "http://created-meanwhile")
            moved_after = await seconds_until(system, resolver, known, "http://new")
        finally:
            await system.stack.kafka.thaw()
    assert created_after <= NEGATIVE + SLACK
    assert moved_after <= POSITIVE + SLACK
    await system.until_resolved(known, "http://new", within=30)
    await system.until_resolved(unknown, "http://created-meanwhile", within=30)
    assert [event["url"] for event in await system.until_audited(known, 2)] == ["http://new", "http://old"]
    assert len(await system.until_audited(unknown, 1)) == 1


async def test_changes_written_without_kafka_are_delivered_after_its_restart(system: System) -> None:
    keys = [await system.new_key() for _ in range(5)]
    await system.stack.kafka.kill()
    try:
        for key in keys:
            await system.put(key, "http://written-without-kafka")
    finally:
        await system.stack.kafka.start()
    for key in keys:
        await system.until_resolved(key, "http://written-without-kafka", within=60)
        assert len(await system.until_audited(key, 1, within=60)) == 1


async def test_resolver_that_starts_without_kafka_resolves_routes(system: System) -> None:
    key = await system.new_key()
    await system.put(key, "http://there")
    await system.until_resolved(key, "http://there")
    snapshot = str(system.state.key_snapshot(system.services.data_planes[0].name))
    await system.stack.kafka.freeze()
    try:
        async with resolver_with_short_ttl(system, "without-kafka", TM_KEY_SNAPSHOT_PATH=snapshot) as resolver:
            assert await system.resolved_url(resolver.urls[0], key) == "http://there"
            assert "started from the key snapshot" in system.log_of(resolver)
            unknown_key = await system.http.get(f"{resolver.urls[0]}/", headers=bearer(AccessKey.new()))
            assert unknown_key.status_code == 503
    finally:
        await system.stack.kafka.thaw()
