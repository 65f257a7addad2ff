"""Entries that a process restores from the snapshot of the previous one."""

from collections.abc import Callable
from pathlib import Path

import pytest
from structlog.testing import capture_logs

from data_plane.adapters.snapshot.file import SnapshotFile
from data_plane.adapters.snapshot.format import MAGIC
from data_plane.domain.read_consistency import ReadConsistency
from data_plane.errors import NotFreshEnough, RouteUnknown
from data_plane.service.cache.freshness import SPREAD_SECONDS
from shared.schemas.identity import RouteKey
from tests.fakes.data_plane_world import KEY, World, summary_of
from tests.support.active_values import url_of
from tests.support.resolver_restarts import instance_that_knows, restarted

OTHER = RouteKey("team-a", "other", "prod", "v1")


@pytest.fixture
def world() -> World:
    return World()


@pytest.mark.parametrize("elsewhere", [False, True])
async def test_restored_entry_within_its_ttl_is_served_without_a_load(world: World, elsewhere: bool) -> None:
    await instance_that_knows(world)
    after = await restarted(world, after=20, elsewhere=elsewhere)
    answer = await after.resolve()
    assert summary_of(answer) == "https://v1 l1"
    assert (round(answer.age), round(answer.remaining)) == (20, 40)
    assert answer.bound == pytest.approx(20, abs=0.1)


async def test_expired_restored_entry_is_loaded_or_served_stale(world: World) -> None:
    await instance_that_knows(world)
    world.redis.flush()
    after = await restarted(world, after=61, elsewhere=True)
    world.all_databases(down=True)
    answer = await after.resolve()
    assert summary_of(answer) == "https://v1 l1 stale"
    assert answer.bound is None
    with pytest.raises(RouteUnknown):
        await after.resolve(accept_stale=False)
    with pytest.raises(NotFreshEnough):
        await after.resolve(consistency=ReadConsistency(max_age=3600))
    world.all_databases(down=False)
    assert summary_of(await after.resolve()) == "https://v1 replica"


async def test_restored_entry_on_another_host_without_primary_time_is_expired(world: World) -> None:
    await instance_that_knows(world)
    world.redis.flush()
    after = await restarted(world, after=1, knows_primary_time=False, elsewhere=True)
    world.all_databases(down=True)
    answer = await after.resolve()
    assert summary_of(answer) == "https://v1 l1 stale"
    assert answer.age >= 60


async def test_stale_if_error_of_a_restored_route_is_capped(world: World) -> None:
    await instance_that_knows(world)
    world.redis.flush()
    after = await restarted(world, after=60 + 3599)
    world.all_databases(down=True)
    assert summary_of(await after.resolve()) == "https://v1 l1 stale"
    world.clock.advance(1)
    with pytest.raises(RouteUnknown):
        await after.resolve()


async def test_restored_tombstone_wins_over_an_older_value(world: World) -> None:
    await instance_that_knows(world, None)
    world.redis.entries.clear()
    before = world.database.read(KEY, 1, world.clock.monotonic())
    after = await restarted(world)
    await after.core.applier.apply([world.database.log[0].event])
    world.all_databases(down=True)
    assert url_of(before) == "https://v0"
    assert summary_of(await after.resolve()) == "inactive l1"
    world.clock.advance(60)
    world.redis.flush()
    assert summary_of(await after.resolve()) == "inactive l1 stale"


async def test_never_created_entries_are_not_stored(world: World) -> None:
    instance = await instance_that_knows(world)
    await instance.resolve(OTHER)
    await instance.snapshots.write(pause_seconds=0)
    world.redis.flush()
    world.all_databases(down=True)
    after = await restarted(world)
    with pytest.raises(RouteUnknown):
        await after.resolve(OTHER)
    assert summary_of(await after.resolve()) == "https://v1 l1"


async def test_suspect_entry_is_restored_as_expired(world: World) -> None:
    instance = await instance_that_knows(world)
    instance.core.applier.mark_all_suspect()
    await instance.snapshots.write(pause_seconds=0)
    world.redis.flush()
    after = await restarted(world)
    assert summary_of(await after.resolve()) == "https://v1 replica"


async def test_restored_entries_are_revalidated_when_the_start_does_not_catch_up(world: World) -> None:
    await instance_that_knows(world)
    after = await restarted(world)
    world.database.commit(KEY, None)
    world.clock.advance(SPREAD_SECONDS)  # while it waits for events
    after.snapshots.mark_restored_suspect()
    assert summary_of(await after.resolve()) == "inactive replica"


async def test_restored_entry_before_catching_up_is_served_stale_without_sources(world: World) -> None:
    await instance_that_knows(world)
    world.redis.flush()
    world.all_databases(down=True)
    after = await restarted(world)
    assert summary_of(await after.resolve()) == "https://v1 l1"
    world.clock.advance(SPREAD_SECONDS)
    after.snapshots.mark_restored_suspect()
    assert summary_of(await after.resolve()) == "https://v1 l1 stale"
    with pytest.raises(RouteUnknown):
        await after.resolve(accept_stale=False)


async def test_redis_entries_written_since_the_start_revalidate_restored_ones(world: World) -> None:
    await instance_that_knows(world)
    after = await restarted(world)
    world.database.commit(KEY, "https://v2")
    world.clock.advance(SPREAD_SECONDS)
    world.redis.flush()
    await world.instance().resolve()
    world.all_databases(down=True)
    after.snapshots.mark_restored_suspect()
    assert summary_of(await after.resolve()) == "https://v2 redis"


async def test_process_without_a_snapshot_marks_nothing_suspect(world: World) -> None:
    await (await instance_that_knows(world)).resolve()
    world.disk.kept = None
    after = await restarted(world)
    world.clock.advance(SPREAD_SECONDS)
    after.snapshots.mark_restored_suspect()
    assert summary_of(await after.resolve()) == "https://v1 redis"


async def test_snapshot_without_offsets_leaves_no_ttl(world: World) -> None:
    without_events = world.instance()
    without_events.stream_coverage.begin({}, at=world.clock.monotonic(), resumed=False)
    world.database.commit(KEY, "https://v1")
    await without_events.resolve()
    await without_events.snapshots.write(pause_seconds=0)
    world.redis.flush()
    assert summary_of(await (await restarted(world)).resolve()) == "https://v1 replica"


async def test_stored_offsets_are_the_applied_ones_and_survive_an_outage_of_kafka(world: World) -> None:
    instance = await instance_that_knows(world)
    instance.stream_coverage.mark_applied(0, 17)
    await instance.snapshots.write(pause_seconds=0)
    world.clock.advance(1)
    without_events = world.instance()
    without_events.stream_coverage.begin({}, at=world.clock.monotonic(), resumed=False)
    assert dict(await without_events.snapshots.read()) == {0: 17}
    await without_events.snapshots.write(pause_seconds=0)
    assert world.disk.kept is not None
    assert world.disk.kept.head.offsets == {0: 17}


async def test_revision_gap_after_the_restart_is_detected(world: World) -> None:
    instance = await instance_that_knows(world)
    await instance.core.applier.apply([each.event for each in world.database.log])
    await instance.snapshots.write(pause_seconds=0)
    after = await restarted(world)
    world.database.commit(OTHER, "https://not-applied")
    await after.core.applier.apply([world.database.commit(OTHER, "https://applied")])
    assert after.count("tm_revision_gaps_total") == 1
    assert (await after.resolve()).tenant_revision == 2


async def test_restored_proof_is_kept_and_extended_by_events(world: World) -> None:
    instance = await instance_that_knows(world)
    await instance.core.applier.apply([each.event for each in world.database.log])
    await instance.core.applier.apply([world.database.commit(OTHER, "https://other")])
    await instance.snapshots.write(pause_seconds=0)
    after = await restarted(world)
    world.all_databases(down=True)
    assert (await after.resolve(consistency=ReadConsistency(min_revision=3))).tenant_revision == 3
    await after.core.applier.apply([world.database.commit(OTHER, "https://again")])
    assert (await after.resolve(consistency=ReadConsistency(min_revision=4))).tenant_revision == 4


async def test_heartbeats_after_the_restart_do_not_renew_restored_entries(world: World) -> None:
    await instance_that_knows(world)
    after = await restarted(world, after=20)
    after.apply_heartbeat()
    assert (await after.resolve()).bound == pytest.approx(20, abs=0.1)


async def test_rejected_or_unwritten_snapshot_only_increments_its_metric(world: World) -> None:
    instance = await instance_that_knows(world)
    world.disk.is_broken = True
    await instance.snapshots.write(pause_seconds=0)
    assert instance.count("tm_snapshot_failures_total", op="write") == 1
    after = await restarted(world)
    assert after.count("tm_snapshot_failures_total", op="read") == 1
    assert summary_of(await after.resolve()) == "https://v1 redis"


@pytest.mark.parametrize(
    ("spoil", "why"),
    [
        (lambda whole: whole[:-1] + b"?", "its checksum is wrong: it is truncated or corrupt"),
        (lambda whole: whole[: len(MAGIC) + 1], "truncated"),
        (lambda _: b"my notes", "this is not a snapshot of a resolver"),
    ],
    ids=["corrupt", "truncated", "foreign"],
)
async def test_rejected_snapshot_is_logged_once_with_path_and_reason(
    world: World, tmp_path: Path, spoil: Callable[[bytes], bytes], why: str
) -> None:
    path = tmp_path / "resolver"
    before = world.instance(disk=SnapshotFile(path))
    world.database.commit(KEY, "https://v1")
    await before.resolve()
    await before.snapshots.write(pause_seconds=0)
    path.write_bytes(spoil(path.read_bytes()))
    with capture_logs() as lines:
        assert await world.instance(disk=SnapshotFile(path)).snapshots.read() == {}
    assert lines == [{"log_level": "error", "event": "snapshot refused; starting without it", "why": f"{path}: {why}"}]


async def test_empty_cache_does_not_replace_a_snapshot(world: World) -> None:
    await instance_that_knows(world)
    kept = world.disk.kept
    await world.instance().snapshots.write(pause_seconds=0)
    assert world.disk.kept is kept
