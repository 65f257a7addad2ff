"""A resolver that starts from the snapshot of an earlier one, with and without servers."""

from collections.abc import AsyncIterator, Sequence
from dataclasses import replace
from pathlib import Path

import pytest

from data_plane.adapters.snapshot.file import SnapshotFile
from data_plane.adapters.snapshot.format import MAGIC
from data_plane.domain.snapshot import KeptRoute
from deploy.local.stack import Stack
from shared.schemas.identity import RouteKey
from tests.support.answer_recorder import AnswerRecorder
from tests.support.factories import a_tenant
from tests.support.kafka import produce
from tests.support.resolver_process import StartResolver, resolve_over_http
from tests.support.route_writer import RouteWriter
from tests.support.standby import Standby
from tests.support.waiting import eventually

NOWHERE = "127.0.0.1:1"
WITHOUT_SERVERS = {
    "replica_urls": f"postgresql://{NOWHERE}/x",
    "postgres_url": f"postgresql://{NOWHERE}/x",
    "redis_url": f"redis://{NOWHERE}/0",
    "kafka_bootstrap": NOWHERE,
    "kafka_start_seconds": 0.2,
}
NO_REDIS = {"redis_url": f"redis://{NOWHERE}/0"}


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "snapshots" / "resolver"


@pytest.fixture
def key() -> RouteKey:
    return RouteKey(a_tenant(), "payments", "prod", "v1")


def other(key: RouteKey) -> RouteKey:
    return RouteKey(key.tenant, "other", "prod", "v1")


async def test_process_without_servers_answers_stale_from_the_snapshot(
    routes: RouteWriter, standby: Standby, start: StartResolver, path: Path, key: RouteKey
) -> None:
    await routes.put(key, "https://v1")
    await routes.heartbeat()
    await standby.catch_up()
    async with start(snapshot_path=path) as before:
        await AnswerRecorder(before, key).until("https://v1")
    async with start(snapshot_path=path, **WITHOUT_SERVERS) as after:
        answer = await resolve_over_http(after, key)
        assert (answer.status_code, answer.json()["url"]) == (200, "https://v1")
        assert answer.headers["x-cache"] == "l1; stale"
        assert answer.headers["x-staleness-bound"].isdigit()  # by the clock of the host, which was not booted since
        assert (await resolve_over_http(after, other(key))).status_code == 503
        assert b'tm_warm_start_source_info{source="snapshot"} 1.0' in after.metrics.exposition()


async def test_restarted_process_answers_within_the_remaining_ttl_and_applies_missed_events(
    stack: Stack, routes: RouteWriter, standby: Standby, start: StartResolver, path: Path, key: RouteKey
) -> None:
    await routes.put(key, "https://v1")
    await routes.put(other(key), "https://other")
    await routes.heartbeat()
    await standby.catch_up()
    async with start(snapshot_path=path, **NO_REDIS) as before:
        await AnswerRecorder(before, key).until("https://v1")
        await AnswerRecorder(before, other(key)).until("https://other")
    await produce(stack.urls.kafka, await routes.put(key, "https://v2"))
    async with start(snapshot_path=path, **NO_REDIS) as after:
        unchanged = await resolve_over_http(after, other(key))
        assert unchanged.headers["x-cache"] == "l1"
        assert int(unchanged.headers["x-staleness-bound"]) >= 0

        async def is_applied() -> bool:
            found = await resolve_over_http(after, key)
            return (found.json()["url"], found.headers["x-cache"]) == ("https://v2", "l1")

        await eventually(is_applied)


async def test_lost_offsets_make_the_snapshot_suspect(
    routes: RouteWriter, start: StartResolver, path: Path, key: RouteKey
) -> None:
    await routes.put(key, "https://v1")
    async with start(snapshot_path=path, **NO_REDIS) as before:
        await AnswerRecorder(before, key).until("https://v1")
    await routes.put(key, "https://v2")
    await set_offsets(path, 10**12)
    async with start(snapshot_path=path, **NO_REDIS) as after:
        await AnswerRecorder(after, key).until("https://v2")


async def test_refused_snapshot_is_replaced(
    routes: RouteWriter, start: StartResolver, path: Path, key: RouteKey
) -> None:
    await routes.put(key, "https://v1")
    write_truncated_snapshot(path)
    async with start(snapshot_path=path) as instance:
        assert b'tm_snapshot_failures_total{op="read"} 1.0' in instance.metrics.exposition()
        await AnswerRecorder(instance, key).until("https://v1")
    replaced = await SnapshotFile(path).read()
    assert replaced is not None
    assert [each.key for each in replaced.routes] == [key]


def write_truncated_snapshot(path: Path) -> None:
    """Leave a truncated snapshot."""
    path.parent.mkdir()
    path.write_bytes(MAGIC + b"truncated")


async def set_offsets(path: Path, offset: int) -> None:
    """Rewrite the snapshot with these offsets, as if the topic had been recreated."""
    found = await SnapshotFile(path).read()
    assert found is not None

    async def routes() -> AsyncIterator[Sequence[KeptRoute]]:
        yield found.routes

    await SnapshotFile(path).write(replace(found.head, offsets=dict.fromkeys(found.head.offsets, offset)), routes())
