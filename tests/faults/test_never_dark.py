"""A resolver that starts while everything behind it is gone."""

from collections.abc import Sequence

from data_plane.adapters.snapshot.file import SnapshotFile
from deploy.local.server import Server
from deploy.local.state import StateDirectory
from shared.schemas.identity import RouteKey
from tests.support.system import System
from tests.support.waiting import eventually


async def until_kept(state: StateDirectory, resolver: str, key: RouteKey) -> None:
    """Wait until the resolver has on disk what it needs to answer for the route: a snapshot, and who may ask."""
    snapshots = SnapshotFile(state.snapshot(resolver))

    async def is_kept() -> bool:
        snapshot = await snapshots.read()
        routes = () if snapshot is None else snapshot.routes
        return state.copy_of_keys(resolver).exists() and any(route.key == key for route in routes)

    await eventually(is_kept)


def everything_behind(system: System) -> Sequence[Server]:
    stack = system.stack
    return stack.replica, stack.postgres, stack.redis, stack.kafka


async def test_killed_and_started_with_everything_gone_it_is_ready_and_answers_what_it_knew(system: System) -> None:
    known, unknown = await system.new_key(), await system.new_key()
    await system.put(known, "http://known")
    resolver = system.services.another("data_plane", "in-the-dark", {"TM_SNAPSHOT_INTERVAL_SECONDS": "0.2"})
    await resolver.start()
    try:
        await eventually(lambda: is_resolved(system, resolver, known))
        await until_kept(system.state, "in-the-dark", known)
        await resolver.kill()
        for server in everything_behind(system):
            await server.stop()
        try:
            await resolver.start()  # returns when it is ready
            answer = await system.resolve(resolver.urls[0], known)
            assert (answer.status_code, answer.json()["url"]) == (200, "http://known")
            assert "; stale" in answer.headers["x-cache"]
            assert (await system.resolve(resolver.urls[0], unknown)).status_code == 503
            refused = await system.http.get(str(answer.url), headers={"Cache-Control": "max-stale=0"})
            assert refused.status_code == 503
        finally:
            for server in reversed(everything_behind(system)):
                await server.start()
        await eventually(lambda: is_fresh(system, resolver, known), within=30)
    finally:
        await resolver.stop()


async def is_resolved(system: System, resolver: Server, key: RouteKey) -> bool:
    return (await system.resolve(resolver.urls[0], key)).status_code == 200


async def is_fresh(system: System, resolver: Server, key: RouteKey) -> bool:
    answer = await system.resolve(resolver.urls[0], key)
    return answer.status_code == 200 and "stale" not in answer.headers["x-cache"]
