"""Without Redis and the databases, known routes are still answered, and revisions never decrease."""

from tests.support.revision_recorder import recording_revisions
from tests.support.system import System
from tests.support.waiting import eventually


async def test_every_resolve_succeeds_and_no_revision_decreases_while_redis_restarts_empty(system: System) -> None:
    key = await system.new_key()
    await system.put(key, "http://one")
    await system.until_resolved(key, "http://one")
    async with recording_revisions(system, key) as recorder:
        await system.stack.redis.stop()
        try:
            await system.put(key, "http://two")
            await system.until_resolved(key, "http://two")
        finally:
            await system.stack.redis.start()
        await system.put(key, "http://three")
        await system.until_resolved(key, "http://three")
    assert recorder.statuses == {200}


async def test_old_value_in_frozen_redis_is_not_returned_after_it_resumes(system: System) -> None:
    key = await system.new_key()
    await system.put(key, "http://old")
    await system.until_resolved(key, "http://old")
    async with recording_revisions(system, key) as recorder:
        await system.stack.redis.freeze()
        try:
            await system.put(key, "http://new")
            await system.until_resolved(key, "http://new")
        finally:
            await system.stack.redis.thaw()
        fresh = system.services.add_instance("data_plane", "started-after-redis")
        await fresh.start()

        async def new_everywhere() -> bool:
            return await system.resolved_url(fresh.urls[0], key) == "http://new"

        try:
            await eventually(new_everywhere)
        finally:
            await fresh.stop()
    assert recorder.statuses == {200}


async def test_known_route_is_answered_and_unknown_route_is_503_while_every_database_is_down(
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
            unavailable = await system.resolve(resolver, unknown)
            assert unavailable.status_code == 503
            assert "retry-after" in unavailable.headers
    finally:
        for server in (system.stack.postgres, system.stack.replica, system.stack.redis):
            await server.start()
    for resolver in system.resolver_urls:

        async def not_found(resolver: str = resolver) -> bool:
            return (await system.resolve(resolver, unknown)).status_code == 404

        await eventually(not_found, within=30)


async def test_primary_serves_loads_while_the_replica_is_frozen(system: System) -> None:
    key = await system.new_key()
    await system.put(key, "http://there")
    fresh = system.services.add_instance("data_plane", "with-frozen-replica")
    await system.stack.replica.freeze()
    try:
        await fresh.start()
        other = await system.new_key()

        async def not_found() -> bool:
            return (await system.resolve(fresh.urls[0], other)).status_code == 404

        await eventually(not_found)
        assert (await system.resolve(fresh.urls[0], other)).status_code == 404
    finally:
        await system.stack.replica.thaw()
        await fresh.stop()
