"""A delayed writer delivers an old value after a newer one: by an event, a write to Redis, a replica, or a snapshot.

The AWS outage of October 2025 began this way: an old plan was applied over a newer one and then cleaned up.
"""

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from data_plane.adapters.redis.route_cache import RedisRouteCache
from data_plane.composition.connect import ResolverProcess
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

OLD = "https://old"
WITHOUT_KAFKA = {"kafka_bootstrap": "127.0.0.1:1", "kafka_start_seconds": 2.5}
"""The start waits longer than revalidation of suspect entries is spread over."""
NEWER = pytest.mark.parametrize("newer", ["https://new", None], ids=["moved", "deactivated"])


@pytest.fixture
def key() -> RouteKey:
    return RouteKey(a_tenant(), "payments", "prod", "v1")


@pytest.fixture
async def shared(stack: Stack) -> AsyncIterator[RedisRouteCache]:
    """The shared cache, as a resolver uses it."""
    cache = redis_cache(stack.urls.redis)
    yield cache
    await cache.close()


async def has_in_redis(shared: RedisRouteCache, key: RouteKey, url: str | None) -> None:
    """Wait until Redis holds this URL (None: a tombstone) for the key."""

    async def is_stored() -> bool:
        found = await shared.get(key)
        return found is not None and url_of(found) == url

    await eventually(is_stored)


@NEWER
async def test_old_event_is_ignored(
    stack: Stack,
    routes: RouteWriter,
    pair: tuple[ResolverProcess, ResolverProcess],
    shared: RedisRouteCache,
    key: RouteKey,
    newer: str | None,
) -> None:
    late, event = await routes.put(key, OLD), await routes.put(key, newer)
    async with recording_answers(key, *pair) as recorders:
        await produce(stack.urls.kafka, event)
        for recorder in recorders:
            await recorder.until(newer)
        after = RouteKey(key.tenant, "after", "prod", "v1")
        await produce(stack.urls.kafka, late, late, await routes.put(after, "https://after"))
        for instance in pair:
            await AnswerRecorder(instance, after).until("https://after")
            answer = await instance.core.resolver.resolve(key)
            assert (url_of(answer.entry), answer.entry.revision) == (newer, 2)
    await has_in_redis(shared, key, newer)


@NEWER
async def test_old_write_to_redis_is_refused(
    stack: Stack, routes: RouteWriter, start: StartResolver, shared: RedisRouteCache, key: RouteKey, newer: str | None
) -> None:
    await routes.put(key, OLD)
    async with start() as instance:
        await AnswerRecorder(instance, key).until(OLD)
        await has_in_redis(shared, key, OLD)
        late = await shared.get(key)
        assert late is not None
        await produce(stack.urls.kafka, await routes.put(key, newer))
        await has_in_redis(shared, key, newer)
        [winner] = await shared.put([late])
        assert winner is not None
        assert winner.revision == 2
    async with start(verifier_interval_seconds=0) as fresh:
        answer = await fresh.core.resolver.resolve(key)
        assert (url_of(answer.entry), answer.layer) == (newer, "redis")


@NEWER
async def test_old_replica_reading_does_not_replace_an_applied_change(
    stack: Stack, routes: RouteWriter, start: StartResolver, standby: Standby, key: RouteKey, newer: str | None
) -> None:
    await routes.put(key, OLD)
    await standby.catch_up()
    others = [RouteKey(key.tenant, f"other-{number}", "prod", "v1") for number in range(3)]
    async with start(l1_entries=1, verifier_interval_seconds=0) as instance:
        recorder = AnswerRecorder(instance, key)
        await recorder.until(OLD)
        await standby.pause()
        await produce(stack.urls.kafka, await routes.put(key, newer))
        await recorder.until(newer)
        for _ in range(3):
            # Neither cache has it any more, and the replica has the old one.
            for other in others:
                await instance.core.resolver.resolve(other)
            await stack.redis.stop()
            await stack.redis.start()
            await recorder.until(newer)
            assert recorder.answers[-1][1].layer == "primary"


@NEWER
@pytest.mark.parametrize("kafka", [{}, WITHOUT_KAFKA], ids=["with kafka", "without kafka"])
async def test_old_snapshot_does_not_hide_a_later_change(
    stack: Stack,
    routes: RouteWriter,
    start: StartResolver,
    shared: RedisRouteCache,
    key: RouteKey,
    newer: str | None,
    tmp_path: Path,
    kafka: dict[str, Any],
) -> None:
    await routes.put(key, OLD)
    async with start(snapshot_path=tmp_path / "snapshot") as before:
        await AnswerRecorder(before, key).until(OLD)
    async with start() as another:
        await produce(stack.urls.kafka, await routes.put(key, newer))
        await AnswerRecorder(another, key).until(newer)
        await has_in_redis(shared, key, newer)
    async with start(snapshot_path=tmp_path / "snapshot", **kafka) as after:
        answer = await after.core.resolver.resolve(key)
        assert (url_of(answer.entry), answer.entry.revision, answer.stale) == (newer, 2, False)
