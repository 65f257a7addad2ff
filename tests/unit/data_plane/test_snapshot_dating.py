"""The times in a snapshot, for a process without servers: they are known by the host's clock until it reboots."""

import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from data_plane.domain.remote_clock import PrimaryTime
from data_plane.domain.snapshot import Snapshot
from data_plane.errors import RouteUnknown
from shared.runtime.clock import BootTime, SystemClock
from tests.fakes.data_plane_world import KEY, Instance, World, summary_of
from tests.support.resolver_restarts import instance_that_knows, restarted

LIFE, MAX_STALE = 60.0, 3600.0


@pytest.fixture
def world() -> World:
    return World()


async def without_servers(world: World, *, after: float = 1.0, elsewhere: bool = False) -> Instance:
    """A process that can reach no server and has the snapshot."""
    world.redis.flush()
    world.all_databases(down=True)
    return await restarted(world, after=after, knows_primary_time=False, elsewhere=elsewhere)


async def is_answered(instance: Instance) -> bool:
    try:
        return summary_of(await instance.resolve()) == "https://v1 l1 stale"
    except RouteUnknown:
        return False


@pytest.mark.parametrize("after", [20.0, LIFE + 20])
async def test_age_and_bound_are_right_on_the_same_boot_without_any_source(world: World, after: float) -> None:
    await instance_that_knows(world)
    answer = await (await without_servers(world, after=after)).resolve()
    assert summary_of(answer) == "https://v1 l1 stale"
    assert answer.age == pytest.approx(after)
    assert answer.bound == pytest.approx(after, abs=0.1)


async def test_proof_survives_two_restarts(world: World) -> None:
    await instance_that_knows(world)
    second = await without_servers(world, after=20)
    await second.snapshots.write(pause_seconds=0)
    answer = await (await without_servers(world, after=20)).resolve()
    assert answer.bound == pytest.approx(40, abs=0.1)


@pytest.mark.parametrize("knows_primary_time", [True, False])
async def test_restarts_on_one_boot_do_not_extend_stale_if_error(world: World, knows_primary_time: bool) -> None:
    await instance_that_knows(world, knows_primary_time=knows_primary_time)
    for _ in range(6):
        process = await without_servers(world, after=600)
        await process.snapshots.write(pause_seconds=0)
    assert await is_answered(process)
    world.clock.advance(LIFE)
    assert not await is_answered(process)


async def test_restarts_do_not_extend_the_ttl_of_suspect_entries(world: World) -> None:
    instance = await instance_that_knows(world)
    instance.core.applier.mark_all_suspect()
    await instance.snapshots.write(pause_seconds=0)
    process = await without_servers(world, after=MAX_STALE - 1)
    assert await is_answered(process)
    await process.snapshots.write(pause_seconds=0)
    assert not await is_answered(await without_servers(world, after=1))


async def test_late_event_can_be_served_stale_from_its_arrival(world: World) -> None:
    event = world.database.commit(KEY, "https://v1")
    world.clock.advance(2 * MAX_STALE)
    instance = world.instance()
    await instance.core.applier.apply([event])
    await instance.snapshots.write(pause_seconds=0)
    world.redis.flush()
    world.all_databases(down=True)
    after = await restarted(world, after=MAX_STALE - 1)
    assert await is_answered(after)
    world.clock.advance(1)
    assert not await is_answered(after)


async def test_entry_without_a_date_can_be_served_stale_from_the_first_start(world: World) -> None:
    await instance_that_knows(world)
    elsewhere = await without_servers(world, after=10 * MAX_STALE, elsewhere=True)
    assert await is_answered(elsewhere)
    await elsewhere.snapshots.write(pause_seconds=0)
    process = await without_servers(world, after=MAX_STALE - 1)
    assert await is_answered(process)
    await process.snapshots.write(pause_seconds=0)
    assert not await is_answered(await without_servers(world, after=1))


async def test_suspension_of_the_host_between_two_processes_counts(world: World) -> None:
    await instance_that_knows(world)
    world.clock.sleep(500)
    answer = await (await without_servers(world, after=20)).resolve()
    assert answer.age == pytest.approx(520)
    assert answer.bound == pytest.approx(520, abs=0.2)


async def test_process_whose_host_was_suspended_writes_no_dates(
    world: World,
) -> None:
    instance = await instance_that_knows(world)
    world.clock.sleep(500)
    await instance.snapshots.write(pause_seconds=0)
    process = await without_servers(world)
    answer = await process.resolve()
    assert (summary_of(answer), answer.bound) == ("https://v1 l1 stale", None)
    assert answer.age >= LIFE
    process.learn_primary_time()
    assert (await process.resolve()).bound is None


async def test_process_started_after_a_suspension_writes_dates(world: World) -> None:
    await instance_that_knows(world)
    world.clock.sleep(500)
    await (await without_servers(world)).snapshots.write(pause_seconds=0)
    answer = await (await without_servers(world)).resolve()
    assert answer.bound == pytest.approx(502, abs=0.2)


async def test_small_clock_divergence_never_makes_dates_later(world: World) -> None:
    instance = await instance_that_knows(world)
    world.clock.sleep(0.008)
    await instance.snapshots.write(pause_seconds=0)
    answer = await (await without_servers(world)).resolve()
    assert 1.008 <= answer.age <= 1.01
    assert answer.bound is not None
    assert 1.008 <= answer.bound < 1.03


async def after_a_clock_was_set(world: World, by: float) -> Instance:
    """A process that reads a time from the primary that differs by so much from its predecessor's."""
    await instance_that_knows(world)
    world.clock.advance(20)
    after = world.instance(knows_primary_time=False)
    now = world.clock.monotonic()
    after.primary_clock.observe(sent=now, received=now, remote=world.primary_time(by))
    await after.snapshots.read()
    return after


@pytest.mark.parametrize("by", [-5.0, 5.0, 3600.0])
async def test_no_bound_after_the_primarys_clock_was_set_between_processes(world: World, by: float) -> None:
    after = await after_a_clock_was_set(world, by)
    world.redis.flush()
    world.all_databases(down=True)
    answer = await after.resolve()
    assert (summary_of(answer), answer.bound) == ("https://v1 l1 stale", None)
    assert answer.age == pytest.approx(20)


@pytest.mark.parametrize("by", [-5.0, 5.0, 3600.0])
async def test_contradicting_clocks_leave_no_ttl(world: World, by: float) -> None:
    after = await after_a_clock_was_set(world, by)
    world.redis.flush()
    assert summary_of(await after.resolve()) == "https://v1 replica"


async def test_set_clock_is_detected_when_the_primary_is_back(world: World) -> None:
    await instance_that_knows(world)
    after = await without_servers(world, after=20)
    now = world.clock.monotonic()
    after.primary_clock.observe(sent=now, received=now, remote=world.primary_time(-10))
    assert (await after.resolve()).bound is None


async def test_proofs_by_the_clock_before_it_was_set_are_not_stored(world: World) -> None:
    instance = await instance_that_knows(world)
    now = world.clock.monotonic()
    instance.primary_clock.observe(sent=now, received=now, remote=world.primary_time(10))
    await instance.snapshots.write(pause_seconds=0)
    assert (await (await without_servers(world)).resolve()).bound is None


async def test_snapshot_is_not_written_when_the_clock_changes_during_its_writing(world: World) -> None:
    instance = await instance_that_knows(world)
    before = world.disk.kept
    now = world.clock.monotonic()
    world.disk.on_write = lambda: instance.primary_clock.observe(sent=now, received=now, remote=PrimaryTime(10.0))
    await instance.snapshots.write(pause_seconds=0)
    assert world.disk.kept is before
    assert instance.count("tm_snapshot_failures_total", op="write") == 1


@pytest.mark.parametrize("boot", ["", "another boot"])
async def test_host_clock_dates_nothing_on_another_or_unknown_boot(world: World, boot: str) -> None:
    world.clock.reboot(boot)
    await instance_that_knows(world)
    world.clock.reboot("" if boot == "" else "this boot")
    answer = await (await without_servers(world)).resolve()
    assert (summary_of(answer), answer.bound) == ("https://v1 l1 stale", None)
    assert answer.age >= LIFE


async def test_host_restored_to_an_earlier_state_counts_as_another_boot(world: World) -> None:
    await instance_that_knows(world)
    kept = world.disk.kept
    assert kept is not None
    host = replace(kept.head.host, up_for=BootTime(kept.head.host.up_for + 10))
    world.disk.kept = Snapshot(replace(kept.head, host=host), kept.routes)
    assert (await (await without_servers(world, after=1)).resolve()).bound is None


def test_two_processes_of_a_host_read_the_same_clock() -> None:
    clock = SystemClock()
    program = "from shared.runtime.clock import SystemClock as C; print(C().boot(), C().since_boot(), sep='|')"
    before = clock.since_boot()
    completed = subprocess.run(  # noqa: S603 - our own words
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    ).stdout
    boot, seconds = completed.rsplit("|", 1)
    assert boot == clock.boot()
    # A kernel without time namespaces does not say whether a container's clock was moved: then it is unknown.
    if Path("/proc/self/timens_offsets").exists():
        assert Path("/proc/sys/kernel/random/boot_id").read_text().strip() in boot
    else:
        assert boot == ""
    assert before <= float(seconds) <= clock.since_boot()
