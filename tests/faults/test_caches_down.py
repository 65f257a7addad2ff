"""Redis and the databases may go; answers stay, and never go back in time."""

import asyncio
from collections import defaultdict
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from shared.schemas.identity import RouteKey
from tests.support.system import System
from tests.support.waiting import eventually


class Watch:
    """Asks every resolver for a route all the time, and remembers the revisions and statuses in their answers."""

    def __init__(self, system: System, key: RouteKey) -> None:
        self._system = system
        self._key = key
        self.statuses: set[int] = set()
        self.revisions: dict[str, list[int]] = defaultdict(list)

    async def run(self, resolver: str) -> None:
        while True:
            answer = await self._system.resolve(resolver, self._key)
            self.statuses.add(answer.status_code)
            if answer.status_code == 200:
                self.revisions[resolver].append(answer.json()["revision"])
            await asyncio.sleep(0.002)


@asynccontextmanager
async def watched(system: System, key: RouteKey) -> AsyncIterator[Watch]:
    """Watch a route from every resolver; afterwards no resolver may have answered older after newer."""
    watch = Watch(system, key)
    tasks = [asyncio.create_task(watch.run(resolver)) for resolver in system.resolver_urls]
    try:
        yield watch
    finally:
        for task in tasks:
            task.cancel()
        ended, _ = await asyncio.wait(tasks)
    assert [task.exception() for task in ended if not task.cancelled()] == []
    for resolver, revisions in watch.revisions.items():
        assert revisions == sorted(revisions), f"{resolver} went back in time"


async def test_redis_stopped_and_back_empty_costs_no_answer_and_brings_no_old_value(system: System) -> None:
    key = await system.new_key()
    await system.put(key, "http://one")
    await system.until_resolved(key, "http://one")
    async with watched(system, key) as watch:
        await system.stack.redis.stop()
        try:
            await system.put(key, "http://two")
            await system.until_resolved(key, "http://two")
        finally:
            await system.stack.redis.start()
        await system.put(key, "http://three")
        await system.until_resolved(key, "http://three")
    assert watch.statuses == {200}


async def test_redis_frozen_with_an_old_value_does_not_bring_it_back(system: System) -> None:
    key = await system.new_key()
    await system.put(key, "http://old")
    await system.until_resolved(key, "http://old")
    async with watched(system, key) as watch:
        await system.stack.redis.freeze()
        try:
            await system.put(key, "http://new")
            await system.until_resolved(key, "http://new")
        finally:
            await system.stack.redis.thaw()
        fresh = system.services.another("data_plane", "started-after-redis")
        await fresh.start()

        async def new_everywhere() -> bool:
            return await system.resolved_url(fresh.urls[0], key) == "http://new"

        try:
            await eventually(new_everywhere)
        finally:
            await fresh.stop()
    assert watch.statuses == {200}


async def test_known_routes_are_answered_and_unknown_ones_are_no_404_while_every_database_is_away(
    system: System,
) -> None:
    known, unknown = await system.new_key(), await system.new_key()
    await system.put(known, "http://known")
    await system.until_resolved(known, "http://known")
    for server in (system.stack.replica, system.stack.postgres, system.stack.redis):
        await server.stop()
    try:
        for resolver in system.resolver_urls:
            assert await system.resolved_url(resolver, known) == "http://known"
            nobody_can_tell = await system.resolve(resolver, unknown)
            assert nobody_can_tell.status_code == 503
            assert "retry-after" in nobody_can_tell.headers
    finally:
        for server in (system.stack.postgres, system.stack.replica, system.stack.redis):
            await server.start()
    for resolver in system.resolver_urls:

        async def told(resolver: str = resolver) -> bool:
            return (await system.resolve(resolver, unknown)).status_code == 404

        await eventually(told, within=30)


async def test_frozen_replica_is_passed_over_for_the_primary(system: System) -> None:
    key = await system.new_key()
    await system.put(key, "http://there")
    fresh = system.services.another("data_plane", "beside-a-frozen-replica")
    await system.stack.replica.freeze()
    try:
        await fresh.start()
        other = await system.new_key()

        async def absent() -> bool:
            return (await system.resolve(fresh.urls[0], other)).status_code == 404

        await eventually(absent)
        assert (await system.resolve(fresh.urls[0], other)).status_code == 404
    finally:
        await system.stack.replica.thaw()
        await fresh.stop()
