"""Loads of the same key are coalesced, lookups are batched, and each load has a deadline."""

import asyncio
from collections.abc import Sequence
from contextvars import ContextVar

import pytest

from data_plane.domain.active_value import ActiveValue
from data_plane.domain.answer import Layer
from data_plane.domain.entry import Entry, State
from data_plane.domain.read_consistency import ANY, ReadConsistency
from data_plane.service.loading.coalescer import MAX_LOOKUP_KEYS, LoadCoalescer
from data_plane.service.loading.loader import LoadResult
from shared.runtime.clock import LocalTime
from shared.runtime.metrics import Metrics
from shared.runtime.service import Service
from shared.schemas.identity import RouteKey
from tests.support.waiting import eventually

FIRST, SECOND = (RouteKey("team-a", name, "prod", "v1") for name in ("first", "second"))
PICKY = ReadConsistency(min_revision=7)
CALLER = ContextVar("caller", default="no caller")


class Servers:
    """Redis knows the keys in `cached`, the databases all others. Each responds when its gate is open."""

    def __init__(self) -> None:
        self.cached: set[RouteKey] = set()
        self.looks: list[list[RouteKey]] = []
        self.reads: list[tuple[RouteKey, ReadConsistency]] = []
        self.redis, self.databases = asyncio.Event(), asyncio.Event()
        self.reading = 0
        self.databases_know = True
        self.error: Exception | None = None
        self.mistake: Exception | None = None
        self.requested_for: list[str] = []
        self.due: list[RouteKey] = []
        self.redis.set()
        self.databases.set()

    async def look_up(self, keys: Sequence[RouteKey]) -> Sequence[LoadResult | None]:
        self.looks.append(list(keys))
        self.requested_for.append(CALLER.get())
        await self.redis.wait()
        if self.error:
            raise self.error
        return [_found(key, Layer.REDIS) if key in self.cached else None for key in keys]

    def satisfies(self, entry: Entry, consistency: ReadConsistency) -> bool:
        if self.mistake:
            raise self.mistake
        return entry.revision >= consistency.min_revision

    def due_for_refresh(self) -> Sequence[RouteKey]:
        due, self.due = self.due, []
        return due

    async def read(self, key: RouteKey, consistency: ReadConsistency) -> LoadResult | None:
        self.reads.append((key, consistency))
        self.reading += 1
        self.requested_for.append(CALLER.get())
        try:
            await self.databases.wait()
        finally:
            self.reading -= 1
        if self.error:
            raise self.error
        return _found(key, Layer.REPLICA) if self.databases_know else None


def _found(key: RouteKey, layer: Layer) -> LoadResult:
    return LoadResult(
        Entry(key, State.ACTIVE, ActiveValue("https://v1"), 1, LocalTime(0.0), LocalTime(60.0)), layer, LocalTime(0.0)
    )


@pytest.fixture
def servers() -> Servers:
    return Servers()


def loads_from(servers: Servers, *, deadline: float = 10) -> LoadCoalescer:
    return LoadCoalescer(servers, deadline_seconds=deadline, metrics=Metrics(Service.DATA_PLANE))


async def _a_turn() -> None:
    for _ in range(3):
        await asyncio.sleep(0)


async def _layer(answer: asyncio.Future[LoadResult | None]) -> Layer | None:
    found = await answer
    return None if found is None else found.layer


async def test_keys_of_one_event_loop_iteration_share_a_lookup_and_only_misses_are_loaded(servers: Servers) -> None:
    loads = loads_from(servers)
    servers.cached = {FIRST}
    answers = [loads.load(key) for key in (FIRST, SECOND, FIRST)]
    assert [await _layer(each) for each in answers] == [Layer.REDIS, Layer.REPLICA, Layer.REDIS]
    assert servers.looks == [[FIRST, SECOND]]
    assert servers.reads == [(SECOND, ANY)]


async def test_misses_during_a_lookup_share_the_next_one(servers: Servers) -> None:
    loads = loads_from(servers)
    servers.redis.clear()
    keys = [RouteKey("team-a", f"s{number}", "prod", "v1") for number in range(MAX_LOOKUP_KEYS + 2)]
    answers = [loads.load(keys[0])]
    await _a_turn()
    for key in keys[1:]:
        answers.append(loads.load(key))
        await _a_turn()
    servers.redis.set()
    assert [await _layer(each) for each in answers] == [Layer.REPLICA] * len(keys)
    assert [len(each) for each in servers.looks] == [1, MAX_LOOKUP_KEYS, 1]


async def test_callers_share_a_load_until_it_ends(servers: Servers) -> None:
    loads = loads_from(servers)
    servers.databases.clear()
    answers = [loads.load(FIRST) for _ in range(3)]
    await _a_turn()
    answers.append(loads.load(FIRST))
    servers.databases.set()
    assert [await _layer(each) for each in answers] == [Layer.REPLICA] * 4
    assert await _layer(loads.load(FIRST)) is Layer.REPLICA
    assert len(servers.reads) == 2


async def test_keys_that_are_due_are_read_with_a_key_that_misses_and_not_with_one_that_redis_knows(
    servers: Servers,
) -> None:
    loads = loads_from(servers)
    servers.cached, servers.due = {FIRST}, [SECOND]
    await loads.load(FIRST)
    assert servers.reads == []
    third = RouteKey("team-a", "third", "prod", "v1")
    servers.databases.clear()
    answer = loads.load(third)
    await _a_turn()
    assert servers.reads == [(third, ANY), (SECOND, ANY)]
    joined = loads.load(SECOND)
    servers.databases.set()
    assert [await _layer(each) for each in (answer, joined)] == [Layer.REPLICA] * 2
    assert servers.looks == [[FIRST], [third]]
    assert len(servers.reads) == 2


async def test_key_that_is_due_and_is_being_loaded_already_is_not_read_again(servers: Servers) -> None:
    loads = loads_from(servers)
    servers.due = [FIRST]
    await loads.load(FIRST)
    assert servers.reads == [(FIRST, ANY)]


async def test_read_of_a_due_key_that_takes_too_long_is_cancelled(servers: Servers) -> None:
    loads = loads_from(servers, deadline=0.05)
    servers.due = [SECOND]
    servers.databases.clear()
    assert await loads.load(FIRST) is None
    await eventually(lambda: _is_idle(servers))
    servers.databases.set()
    assert await _layer(loads.load(SECOND)) is Layer.REPLICA


async def _is_idle(servers: Servers) -> bool:
    return servers.reading == 0


async def test_each_read_consistency_has_its_own_load(servers: Servers) -> None:
    loads = loads_from(servers)
    servers.cached = {FIRST}
    answers = loads.load(FIRST), loads.load(FIRST, PICKY)
    assert [await _layer(each) for each in answers] == [Layer.REDIS, Layer.REPLICA]
    assert servers.reads == [(FIRST, PICKY)]


async def test_entry_from_redis_is_the_result_if_no_database_responds(servers: Servers) -> None:
    servers.cached = {FIRST}
    servers.databases_know = False
    loads = loads_from(servers)
    assert await _layer(loads.load(FIRST, PICKY)) is Layer.REDIS
    assert await _layer(loads.load(SECOND)) is None


async def test_cancelled_waiter_does_not_cancel_the_load(servers: Servers) -> None:
    loads = loads_from(servers)
    servers.databases.clear()
    leaving, staying = loads.load(FIRST), loads.load(FIRST)
    await _a_turn()
    leaving.cancel()
    servers.databases.set()
    assert await _layer(staying) is Layer.REPLICA


@pytest.mark.parametrize("hanging", ["redis", "databases"])
async def test_load_is_cancelled_at_its_deadline_and_the_next_starts_anew(servers: Servers, hanging: str) -> None:
    loads = loads_from(servers, deadline=0.02)
    gate: asyncio.Event = getattr(servers, hanging)
    gate.clear()
    assert await loads.load(FIRST) is None
    await _a_turn()
    assert servers.reading == 0
    gate.set()
    await _a_turn()
    assert servers.reads.count((FIRST, ANY)) == (1 if hanging == "databases" else 0)
    assert await _layer(loads.load(FIRST)) is Layer.REPLICA


async def test_load_cancelled_before_its_batch_is_not_looked_up(servers: Servers) -> None:
    loads = loads_from(servers, deadline=0.02)
    servers.redis.clear()
    first = loads.load(FIRST)
    await _a_turn()
    assert await loads.load(SECOND) is None
    assert await first is None
    servers.redis.set()
    await _a_turn()
    await _layer(loads.load(FIRST))
    assert servers.looks == [[FIRST], [FIRST]]


@pytest.mark.parametrize("is_cached", [True, False])
async def test_error_reaches_every_waiter_and_the_next_load_starts_anew(servers: Servers, is_cached: bool) -> None:
    loads = loads_from(servers)
    gate = servers.redis if is_cached else servers.databases
    gate.clear()
    answers = [loads.load(FIRST) for _ in range(2)]
    await _a_turn()
    servers.error = LookupError("a mistake")
    gate.set()
    for answer in answers:
        with pytest.raises(LookupError, match="a mistake"):
            await answer
    servers.error = None
    assert await _layer(loads.load(FIRST)) is Layer.REPLICA


async def test_error_in_a_result_reaches_the_waiters_at_once(servers: Servers) -> None:
    loads = loads_from(servers)
    servers.cached = {FIRST, SECOND}
    servers.mistake = LookupError("a mistake")
    for answer in [loads.load(FIRST), loads.load(SECOND)]:
        with pytest.raises(LookupError, match="a mistake"):
            await answer


async def test_load_runs_outside_the_context_of_its_first_caller(servers: Servers) -> None:
    loads = loads_from(servers)
    CALLER.set("the first")
    await asyncio.wait([loads.load(FIRST), loads.load(SECOND)])
    assert servers.requested_for == ["no caller"] * 3


async def test_close_waits_for_loads_that_were_just_cancelled(servers: Servers) -> None:
    loads = loads_from(servers, deadline=0.02)
    servers.databases.clear()
    assert await loads.load(FIRST) is None
    await loads.close()
    assert servers.reading == 0


@pytest.mark.parametrize("hanging", ["redis", "databases"])
async def test_close_cancels_loads_in_progress(servers: Servers, hanging: str) -> None:
    loads = loads_from(servers)
    getattr(servers, hanging).clear()
    answers = [loads.load(FIRST)]
    await _a_turn()
    answers.append(loads.load(SECOND))
    await loads.close()
    for answer in answers:
        with pytest.raises(asyncio.CancelledError):
            await answer
    assert all(task is asyncio.current_task() for task in asyncio.all_tasks())
