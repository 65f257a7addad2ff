"""A delayed writer brings an old value after a newer one: as an event, as a fill of Redis, as a replica's reading, as the
snapshot of a process that starts again.

The shape of AWS's outage of October 2025, where an old plan was applied over a newer one and then cleaned up.
"""

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from data_plane.adapters.redis.route_cache import RedisRouteCache
from data_plane.composition.connect import ResolverProcess
from deploy.local.stack import Stack
from shared.schemas.identity import RouteKey
from tests.contract.test_route_cache_contract import redis_cache
from tests.integration.data_plane.conftest import Standby, Start
from tests.support.answer_recorder import AnswerRecorder, recording_answers
from tests.support.factories import a_tenant
from tests.support.kafka import produce
from tests.support.route_writer import RouteWriter
from tests.support.waiting import eventually

OLD = "https://old"
KAFKA_AWAY = {"kafka_bootstrap": "127.0.0.1:1", "kafka_start_seconds": 2.5}
"""Waits for longer than doubts are spread over."""
NEWER = pytest.mark.parametrize("newer", ["https://new", None], ids=["moved", "deactivated"])


@pytest.fixture
def key() -> RouteKey:
    return RouteKey(a_tenant(), "payments", "prod", "v1")


@pytest.fixture
async def shared(stack: Stack) -> AsyncIterator[RedisRouteCache]:
    """Redis, as an instance sees it."""
    cache = redis_cache(stack.urls.redis)
    yield cache
    await cache.close()


async def shared_has(shared: RedisRouteCache, key: RouteKey, url: str | None) -> None:
    """Wait until Redis holds this URL (None: a tombstone) for the key."""

    async def there() -> bool:
        found = await shared.get(key)
        return found is not None and found.url == url

    await eventually(there)


@NEWER
async def test_an_old_event_changes_nothing(
    stack: Stack,
    routes: RouteWriter,
    pair: tuple[ResolverProcess, ResolverProcess],
    shared: RedisRouteCache,
    key: RouteKey,
    newer: str | None,
) -> None:
    late, event = await routes.put(key, OLD), await routes.put(key, newer)
    async with recording_answers(key, *pair) as watches:
        await produce(stack.urls.kafka, event)
        for watch in watches:
            await watch.until(newer)
        after = RouteKey(key.tenant, "after", "prod", "v1")
        await produce(stack.urls.kafka, late, late, await routes.put(after, "https://after"))
        for instance in pair:
            await AnswerRecorder(instance, after).until("https://after")
            answer = await instance.core.resolver.resolve(key)
            assert (answer.entry.url, answer.entry.revision) == (newer, 2)
    await shared_has(shared, key, newer)


@NEWER
async def test_an_old_fill_of_redis_is_refused_and_nobody_answers_it(
    stack: Stack, routes: RouteWriter, start: Start, shared: RedisRouteCache, key: RouteKey, newer: str | None
) -> None:
    await routes.put(key, OLD)
    async with start() as instance:
        await AnswerRecorder(instance, key).until(OLD)
        await shared_has(shared, key, OLD)
        late = await shared.get(key)
        assert late is not None
        await produce(stack.urls.kafka, await routes.put(key, newer))
        await shared_has(shared, key, newer)
        [in_its_way] = await shared.put([late])
        assert in_its_way is not None
        assert in_its_way.revision == 2
    async with start(verifier_interval_seconds=0) as fresh:
        answer = await fresh.core.resolver.resolve(key)
        assert (answer.entry.url, answer.layer) == (newer, "redis")


@NEWER
async def test_an_old_reading_of_a_replica_is_not_answered_by_who_has_heard_the_newer_one(
    stack: Stack, routes: RouteWriter, start: Start, standby: Standby, key: RouteKey, newer: str | None
) -> None:
    await routes.put(key, OLD)
    await standby.follow()
    others = [RouteKey(key.tenant, f"other-{number}", "prod", "v1") for number in range(3)]
    async with start(l1_entries=1, verifier_interval_seconds=0) as instance:
        watch = AnswerRecorder(instance, key)
        await watch.until(OLD)
        await standby.pause()
        await produce(stack.urls.kafka, await routes.put(key, newer))
        await watch.until(newer)
        for _ in range(3):
            # Neither cache has it any more, and the replica has the old one.
            for other in others:
                await instance.core.resolver.resolve(other)
            await stack.redis.stop()
            await stack.redis.start()
            await watch.until(newer)
            assert watch.answers[-1][1].layer == "primary"


@NEWER
@pytest.mark.parametrize("kafka", [{}, KAFKA_AWAY], ids=["kafka there", "kafka away"])
async def test_a_snapshot_from_before_the_change_is_not_answered_by_who_starts_with_it(
    stack: Stack,
    routes: RouteWriter,
    start: Start,
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
        await shared_has(shared, key, newer)
    async with start(snapshot_path=tmp_path / "snapshot", **kafka) as after:
        answer = await after.core.resolver.resolve(key)
        assert (answer.entry.url, answer.entry.revision, answer.stale) == (newer, 2, False)
