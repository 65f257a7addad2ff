"""Concurrent misses share round trips, and each key gets its own result."""

import asyncio
import secrets
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

import pytest

from bench.seeded import key as seeded_key
from bench.seeded import seed
from data_plane.adapters.postgres.route_source import POSTGRES_FAILURES, PostgresRouteSource
from data_plane.adapters.redis.hot_keys import PREFIX
from data_plane.adapters.redis.route_cache import REDIS_FAILURES, RedisRouteCache, connect
from data_plane.domain.active_value import ActiveValue
from data_plane.domain.entry import Entry, State
from data_plane.domain.remote_clock import PrimaryClock
from data_plane.errors import UnreadableEntry
from deploy.local.stack import Stack
from shared.runtime.clock import LocalTime, SystemClock
from shared.runtime.health import DependencyHealth
from shared.runtime.metrics import Metrics
from shared.runtime.resilience import Guard
from shared.runtime.service import Service
from shared.schemas.identity import RouteKey
from tests.support.active_values import url_of
from tests.support.postgres import Database

MANY = 300


class Measured:
    """The parts of an adapter, with timeouts for a busy machine, and the number of its batches."""

    def __init__(self) -> None:
        self.clock = SystemClock()
        self.metrics = Metrics(Service.DATA_PLANE)
        self.health = DependencyHealth(required=False)

    def guard(self, failures: tuple[type[Exception], ...]) -> Guard:
        return Guard(
            "server", timeout=10, failures=failures, clock=self.clock, health=self.health, metrics=self.metrics
        )

    def batches(self, source: str) -> float:
        """Batches sent so far."""
        text = self.metrics.exposition().decode()
        line = next(each for each in text.splitlines() if f'tm_load_batch_keys_count{{source="{source}"}}' in each)
        return float(line.rsplit(" ", 1)[1])


async def _all(ask: Callable[[RouteKey], Awaitable[object]], keys: list[RouteKey]) -> list[object]:
    async def one(key: RouteKey) -> object:
        return await ask(key)

    async with asyncio.TaskGroup() as group:
        tasks = [group.create_task(one(key)) for key in keys]
    return [task.result() for task in tasks]


@asynccontextmanager
async def _redis(stack: Stack, measured: Measured) -> AsyncIterator[RedisRouteCache]:
    cache = RedisRouteCache(
        connect(stack.urls.redis, 10),
        guard=measured.guard(REDIS_FAILURES),
        clock=measured.clock,
        metrics=measured.metrics,
        keep_seconds=60,
    )
    try:
        yield cache
    finally:
        await cache.close()


async def test_many_keys_share_one_redis_round_trip(stack: Stack) -> None:
    measured, tenant = Measured(), f"team-{secrets.token_hex(6)}"
    keys = [RouteKey(tenant, f"service-{number}", "prod", "v1") for number in range(MANY)]
    now = measured.clock.monotonic()
    stored = [
        Entry(key, State.ACTIVE, ActiveValue(f"https://{key.service}"), 7, now, LocalTime(now + 50))
        for key in keys[::2]
    ]
    async with _redis(stack, measured) as cache:
        await _all(lambda key: cache.put([next(each for each in stored if each.key == key)]), [e.key for e in stored])
        found = await cache.get_many(keys)
    values = [
        None if entry is None else (entry.key, url_of(entry))
        for entry in found
        if entry is None or isinstance(entry, Entry)
    ]
    assert values == [(key, f"https://{key.service}") if place % 2 == 0 else None for place, key in enumerate(keys)]
    assert measured.batches("redis") == 1


async def test_unreadable_entry_fails_only_its_own_key(stack: Stack) -> None:
    measured, tenant = Measured(), f"team-{secrets.token_hex(6)}"
    bad, absent = (RouteKey(tenant, name, "prod", "v1") for name in ("bad", "absent"))
    client = connect(stack.urls.redis, 10)
    await client.set(PREFIX + str(bad).encode(), b"\xc1 no entry")
    await client.aclose()
    async with _redis(stack, measured) as cache:
        found, nothing = await cache.get_many([bad, absent])
        assert isinstance(found, UnreadableEntry)
        assert nothing is None
        with pytest.raises(UnreadableEntry):
            await cache.get(bad)


async def test_many_misses_share_database_queries(database: Database) -> None:
    measured = Measured()
    await seed(database.url, MANY // 2)
    source = PostgresRouteSource(
        "replica-1",
        database.url,
        connections=2,
        guard=measured.guard(POSTGRES_FAILURES),
        health=measured.health,
        primary_clock=PrimaryClock(),
        clock=measured.clock,
        metrics=measured.metrics,
    )
    keeping = asyncio.create_task(source.keep_open())
    try:
        assert await source.wait_connected(10)
        readings = await _all(source.read, [seeded_key(number) for number in range(MANY)])
    finally:
        keeping.cancel()
        await asyncio.wait([keeping])
    found = [(reading.key, reading.state) for reading in readings]  # type: ignore[attr-defined]
    states = [State.ACTIVE] * (MANY // 2) + [State.ABSENT] * (MANY // 2)
    assert found == [(seeded_key(number), state) for number, state in enumerate(states)]
    assert measured.batches("replica") <= 2
