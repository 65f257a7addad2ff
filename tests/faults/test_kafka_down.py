"""Without Kafka, writes go on and no answer is older than its life; with it again, everything arrives."""

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
async def short_lived_resolver(system: System, name: str, **settings: str) -> AsyncIterator[Server]:
    """A resolver whose entries live 4 s (1.5 s for "not found") instead of 60 s and 10 s."""
    lives = {"TM_POSITIVE_TTL_SECONDS": str(POSITIVE), "TM_NEGATIVE_TTL_SECONDS": str(NEGATIVE)}
    resolver = system.services.another("data_plane", name, {**lives, **settings})
    await resolver.start()
    try:
        yield resolver
    finally:
        await resolver.stop()


async def seconds_until(system: System, resolver: Server, key: RouteKey, url: str | None) -> float:
    """How long until the resolver answers with this URL (None: 404)."""
    started = time.monotonic()

    async def as_wanted() -> bool:
        return await system.resolved_url(resolver.urls[0], key) == url

    await eventually(as_wanted, within=30)
    return time.monotonic() - started


async def test_writes_succeed_caches_stay_within_their_lives_and_everything_arrives_after(system: System) -> None:
    known, unknown = await system.new_key(), await system.new_key()
    await system.put(known, "http://old")
    await system.until_resolved(known, "http://old")
    async with short_lived_resolver(system, "short-lived") as resolver:
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


async def test_restarted_kafka_delivers_what_was_written_meanwhile(system: System) -> None:
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


async def test_resolver_that_starts_without_kafka_answers(system: System) -> None:
    key = await system.new_key()
    await system.put(key, "http://there")
    await system.until_resolved(key, "http://there")
    copy = str(system.state.copy_of_keys(system.services.data_planes[0].name))
    await system.stack.kafka.freeze()
    try:
        async with short_lived_resolver(system, "without-kafka", TM_KEY_SNAPSHOT_PATH=copy) as resolver:
            assert await system.resolved_url(resolver.urls[0], key) == "http://there"
            assert "started with a copy of the access keys" in system.log_of(resolver)
            nobody = await system.http.get(f"{resolver.urls[0]}/", headers=bearer(AccessKey.new()))
            assert nobody.status_code == 503
    finally:
        await system.stack.kafka.thaw()
