"""An event counts as applied, for propagation and for the stream, once Redis has it or keeps it pending."""

import asyncio
from collections.abc import Sequence

import pytest

from data_plane.domain.entry import Entry
from data_plane.domain.event_batch import EventBatch
from data_plane.worker.event_listener import EventListener
from shared.runtime.background import in_background
from shared.runtime.health import DependencyHealth
from tests.fakes.data_plane_cache import FakeRouteCache
from tests.fakes.data_plane_events import FakeEventStream
from tests.fakes.data_plane_world import KEY, Instance, World
from tests.support.waiting import eventually


class SlowRouteCache(FakeRouteCache):
    """Writes wait until `may_write` is set."""

    def __init__(self) -> None:
        super().__init__()
        self.is_writing, self.may_write = asyncio.Event(), asyncio.Event()

    async def put(self, entries: Sequence[Entry]) -> Sequence[Entry | None]:
        self.is_writing.set()
        await self.may_write.wait()
        return await super().put(entries)


class Slow:
    """An instance that applies an event while Redis is slow."""

    def __init__(self) -> None:
        self.world = World()
        self.redis = self.world.redis = SlowRouteCache()
        self.instance: Instance = self.world.instance()
        self.event = self.world.database.commit(KEY, "https://v1")

    @property
    def applied(self) -> float:
        """How many events count as applied."""
        return self.instance.count("tm_events_total", topic="route-events", outcome="applied")


@pytest.fixture
def slow() -> Slow:
    return Slow()


async def test_event_counts_as_applied_once_redis_has_it(slow: Slow) -> None:
    async with asyncio.TaskGroup() as tasks:
        tasks.create_task(slow.instance.core.applier.apply([slow.event]))
        await slow.redis.is_writing.wait()
        assert slow.applied == 0
        slow.redis.may_write.set()
    assert slow.applied == 1
    assert slow.redis.entries[KEY].revision == 1


async def test_event_counts_as_applied_while_redis_is_down_and_is_pending(slow: Slow) -> None:
    slow.redis.is_down = True
    slow.redis.may_write.set()
    await slow.instance.core.applier.apply([slow.event])
    assert slow.applied == 1
    assert slow.instance.core.l2.has_pending()


class RecordingStream(FakeEventStream):
    """Records the offsets that were marked as applied."""

    def __init__(self) -> None:
        super().__init__()
        self.applied_offsets: list[int] = []

    def mark_applied(self, batch: EventBatch) -> None:
        super().mark_applied(batch)
        self.applied_offsets.append(batch.next_offsets[0])


async def test_offset_counts_as_applied_once_redis_has_its_event(slow: Slow) -> None:
    stream = RecordingStream()
    listener = EventListener(
        stream, slow.instance.core.applier, health=DependencyHealth(required=False), notes=slow.instance.notes
    )
    async with in_background(listener.run, "events", backoff=listener.backoff):
        await listener.is_subscribed.wait()
        stream.send(slow.event)
        await slow.redis.is_writing.wait()
        assert stream.applied_offsets == []
        slow.redis.may_write.set()
        await eventually(lambda: _is_applied(stream))
    assert slow.redis.entries[KEY].revision == 1


async def _is_applied(stream: RecordingStream) -> bool:
    return stream.applied_offsets == [1]
