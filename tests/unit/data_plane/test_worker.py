"""The background loops."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import cast

import pytest

from data_plane.service.cache.freshness import SPREAD_SECONDS
from data_plane.service.events.applier import EventApplier
from data_plane.worker.event_listener import EventListener
from data_plane.worker.periodic import keep_primary_time, keep_redis_in_step
from shared.runtime.background import in_background
from shared.runtime.health import DependencyHealth
from shared.schemas.events import ChangesWithheld, RouteChanged
from tests.fakes.data_plane_events import FakeEventStream
from tests.fakes.data_plane_world import KEY, Instance, World, summary_of
from tests.support.waiting import eventually


class FaultyApplier:
    """An applier that fails once when `is_faulty` is set."""

    def __init__(self, real: EventApplier) -> None:
        self._real = real
        self.is_faulty = False

    async def apply(self, events: Sequence[RouteChanged]) -> None:
        if self.is_faulty:
            self.is_faulty = False
            raise RuntimeError("a fault")
        await self._real.apply(events)

    def apply_withheld(self, markers: Sequence[ChangesWithheld]) -> None:
        self._real.apply_withheld(markers)

    def mark_all_suspect(self) -> None:
        self._real.mark_all_suspect()


class Listening:
    """An instance that applies the events of a stream in memory."""

    def __init__(self) -> None:
        self.world = World()
        self.instance: Instance = self.world.instance()
        self.stream = FakeEventStream()
        self.health = DependencyHealth(required=False)
        self.applier = FaultyApplier(self.instance.core.applier)
        self.listener = EventListener(
            self.stream, cast(EventApplier, self.applier), health=self.health, notes=self.instance.notes
        )

    async def until_told(self, expected: str) -> None:
        async def is_told() -> bool:
            return summary_of(await self.instance.resolve()) == expected

        await eventually(is_told)


@asynccontextmanager
async def _running(listening: Listening) -> AsyncIterator[Listening]:
    async with in_background(listening.listener.run, "events", backoff=listening.listener.backoff):
        yield listening


@pytest.fixture
async def listening() -> AsyncIterator[Listening]:
    async with _running(Listening()) as running:
        yield running


async def test_event_is_applied(listening: Listening) -> None:
    assert await listening.listener.wait_caught_up(5)
    listening.stream.send(listening.world.database.commit(KEY, "https://v1"))
    await listening.until_told("https://v1 l1")
    assert listening.health.up


async def test_cached_entries_are_revalidated_after_an_interruption(listening: Listening) -> None:
    await listening.listener.wait_caught_up(5)
    listening.stream.send(listening.world.database.commit(KEY, "https://v1"))
    await listening.until_told("https://v1 l1")
    listening.stream.interrupt()
    await eventually(lambda: _is(listening.stream.opened, 2))
    listening.world.database.commit(KEY, "https://v2")
    listening.world.clock.advance(SPREAD_SECONDS)
    await listening.until_told("https://v2 replica")


async def test_cached_entries_are_revalidated_after_a_marker_of_a_withheld_change_set(listening: Listening) -> None:
    await listening.listener.wait_caught_up(5)
    listening.stream.send(listening.world.database.commit(KEY, "https://v1"))
    await listening.until_told("https://v1 l1")
    listening.world.clock.advance(1)
    listening.world.database.commit(KEY, "https://v2")
    listening.stream.send(ChangesWithheld(tenant=KEY.tenant, revision=2))
    await eventually(lambda: _is(_withheld(listening.instance), 1))
    listening.world.clock.advance(SPREAD_SECONDS)
    await listening.until_told("https://v2 replica")


async def test_service_starts_without_kafka_and_notes_it() -> None:
    new = Listening()
    new.stream.is_down = True
    async with _running(new) as listening:
        assert not await listening.listener.wait_caught_up(0.05)
        assert "kafka" in listening.instance.notes
        listening.stream.is_down = False
        assert await listening.listener.wait_caught_up(5)
        assert "kafka" not in listening.instance.notes


async def test_start_waits_for_the_backlog_and_reports_a_timeout(listening: Listening) -> None:
    listening.stream.has_caught_up.clear()
    assert not await listening.listener.wait_caught_up(0.05)
    assert "kafka" not in listening.instance.notes
    listening.stream.has_caught_up.set()
    assert await listening.listener.wait_caught_up(5)


async def test_pending_writes_reach_redis_when_it_is_back() -> None:
    world = World()
    instance = world.instance()
    task = asyncio.create_task(keep_redis_in_step(instance.core.l2))
    world.redis.is_down = True
    await instance.core.applier.apply([world.database.commit(KEY, "https://v1")])
    world.redis.is_down = False
    await eventually(lambda: _is(KEY in world.redis.entries, True))
    task.cancel()


async def test_primary_time_is_known_after_its_first_response() -> None:
    world = World()
    instance = world.instance(knows_primary_time=False)
    world.primary.is_down = True
    task = asyncio.create_task(keep_primary_time(world.primary, instance.primary_clock, world.clock))
    await asyncio.sleep(0)
    assert instance.primary_clock.latest(world.clock.monotonic()) is None
    world.primary.is_down = False
    await eventually(lambda: _is(instance.primary_clock.latest(world.clock.monotonic()), world.clock.now().timestamp()))
    task.cancel()


def _withheld(instance: Instance) -> float:
    return instance.count("tm_events_total", topic="route-events", outcome="withheld")


async def _is(value: object, expected: object) -> bool:
    return value == expected


async def test_failure_while_applying_is_noted_and_marks_entries_suspect() -> None:
    async with _running(Listening()) as new:
        assert await new.listener.wait_caught_up(5)
        new.stream.send(new.world.database.commit(KEY, "https://v1"))
        await new.until_told("https://v1 l1")
        new.applier.is_faulty = True
        new.stream.send(new.world.database.commit(KEY, "https://v2"))
        await eventually(lambda: _is("kafka" in new.instance.notes, True))
        await eventually(lambda: _is("kafka" in new.instance.notes, False))
        new.world.database.commit(KEY, "https://v3")
        new.world.clock.advance(SPREAD_SECONDS)
        await new.until_told("https://v3 replica")
