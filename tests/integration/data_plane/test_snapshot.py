"""An instance that starts from the last one's snapshot, with and without anyone to ask."""

from collections.abc import AsyncIterator, Sequence
from dataclasses import replace
from pathlib import Path

import pytest

from data_plane.adapters.snapshot.file import SnapshotFile
from data_plane.adapters.snapshot.format import MAGIC
from data_plane.domain.snapshot import KeptRoute
from deploy.local.stack import Stack
from shared.schemas.identity import RouteKey
from tests.integration.data_plane.conftest import Standby, Start
from tests.support.answer_recorder import AnswerRecorder
from tests.support.factories import a_tenant
from tests.support.kafka import produce
from tests.support.resolver_process import resolve_over_http
from tests.support.route_writer import RouteWriter
from tests.support.waiting import eventually

NOBODY = "127.0.0.1:1"
ALL_AWAY = {
    "replica_urls": f"postgresql://{NOBODY}/x",
    "postgres_url": f"postgresql://{NOBODY}/x",
    "redis_url": f"redis://{NOBODY}/0",
    "kafka_bootstrap": NOBODY,
    "kafka_start_seconds": 0.2,
}
NO_REDIS = {"redis_url": f"redis://{NOBODY}/0"}


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "snapshots" / "resolver"


@pytest.fixture
def key() -> RouteKey:
    return RouteKey(a_tenant(), "payments", "prod", "v1")


def other(key: RouteKey) -> RouteKey:
    return RouteKey(key.tenant, "other", "prod", "v1")


async def test_with_every_server_away_a_new_process_answers_what_the_one_before_knew_marked_stale(
    routes: RouteWriter, standby: Standby, start: Start, path: Path, key: RouteKey
) -> None:
    await routes.put(key, "https://v1")
    await routes.heartbeat()
    await standby.follow()
    async with start(snapshot_path=path) as before:
        await AnswerRecorder(before, key).until("https://v1")
    async with start(snapshot_path=path, **ALL_AWAY) as after:
        answer = await resolve_over_http(after, key)
        assert (answer.status_code, answer.json()["url"]) == (200, "https://v1")
        assert answer.headers["x-cache"] == "l1; stale"
        assert answer.headers["x-staleness-bound"].isdigit()  # by the clock of the host, which was not booted since
        assert (await resolve_over_http(after, other(key))).status_code == 503
        assert b'tm_warm_start_source_info{source="snapshot"} 1.0' in after.metrics.exposition()


async def test_started_again_at_once_it_answers_within_the_life_that_is_left_and_hears_what_it_missed(
    stack: Stack, routes: RouteWriter, standby: Standby, start: Start, path: Path, key: RouteKey
) -> None:
    await routes.put(key, "https://v1")
    await routes.put(other(key), "https://other")
    await routes.heartbeat()
    await standby.follow()
    async with start(snapshot_path=path, **NO_REDIS) as before:
        await AnswerRecorder(before, key).until("https://v1")
        await AnswerRecorder(before, other(key)).until("https://other")
    await produce(stack.urls.kafka, await routes.put(key, "https://v2"))
    async with start(snapshot_path=path, **NO_REDIS) as after:
        unchanged = await resolve_over_http(after, other(key))
        assert unchanged.headers["x-cache"] == "l1"
        assert int(unchanged.headers["x-staleness-bound"]) >= 0

        async def heard() -> bool:
            found = await resolve_over_http(after, key)
            return (found.json()["url"], found.headers["x-cache"]) == ("https://v2", "l1")

        await eventually(heard)


async def test_where_events_cannot_be_heard_on_from_the_snapshot_everything_is_read_again(
    routes: RouteWriter, start: Start, path: Path, key: RouteKey
) -> None:
    await routes.put(key, "https://v1")
    async with start(snapshot_path=path, **NO_REDIS) as before:
        await AnswerRecorder(before, key).until("https://v1")
    await routes.put(key, "https://v2")
    await say_offsets_are(path, 10**12)
    async with start(snapshot_path=path, **NO_REDIS) as after:
        await AnswerRecorder(after, key).until("https://v2")


async def test_a_snapshot_that_is_refused_costs_nothing_but_itself(
    routes: RouteWriter, start: Start, path: Path, key: RouteKey
) -> None:
    await routes.put(key, "https://v1")
    break_off(path)
    async with start(snapshot_path=path) as instance:
        assert b'tm_snapshot_failures_total{op="read"} 1.0' in instance.metrics.exposition()
        await AnswerRecorder(instance, key).until("https://v1")
    replaced = await SnapshotFile(path).read()
    assert replaced is not None
    assert [each.key for each in replaced.routes] == [key]


def break_off(path: Path) -> None:
    """Leave a beginning of a snapshot."""
    path.parent.mkdir()
    path.write_bytes(MAGIC + b"and then the power failed")


async def say_offsets_are(path: Path, offset: int) -> None:
    """As if the topic had been made anew since."""
    found = await SnapshotFile(path).read()
    assert found is not None

    async def routes() -> AsyncIterator[Sequence[KeptRoute]]:
        yield found.routes

    await SnapshotFile(path).write(replace(found.head, offsets=dict.fromkeys(found.head.offsets, offset)), routes())
