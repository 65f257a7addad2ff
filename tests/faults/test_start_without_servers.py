"""A resolver that starts while all its servers are down."""

from collections.abc import Sequence

from data_plane.adapters.snapshot.file import SnapshotFile
from deploy.local.server import Server
from deploy.local.state import StateDirectory
from shared.schemas.identity import RouteKey
from tests.support.system import System
from tests.support.waiting import eventually


async def until_snapshotted(state: StateDirectory, resolver: str, key: RouteKey) -> None:
    """Waits until the resolver has written a cache snapshot with the route and a key snapshot."""
    snapshots = SnapshotFile(state.snapshot(resolver))

    async def is_snapshotted() -> bool:
        snapshot = await snapshots.read()
        routes = () if snapshot is None else snapshot.routes
        return state.key_snapshot(resolver).exists() and any(route.key == key for route in routes)

    await eventually(is_snapshotted)


def servers_of_resolver(system: System) -> Sequence[Server]:
    stack = system.stack
    return stack.replica, stack.postgres, stack.redis, stack.kafka


async def test_resolver_is_ready_and_answers_known_routes_after_a_start_without_any_server(system: System) -> None:
    known, unknown = await system.new_key(), await system.new_key()
    await system.put(known, "http://known")
    resolver = system.services.add_instance("data_plane", "without-servers", {"TM_SNAPSHOT_INTERVAL_SECONDS": "0.2"})
    await resolver.start()
    try:
        await eventually(lambda: is_resolved(system, resolver, known))
        await until_snapshotted(system.state, "without-servers", known)
        await resolver.kill()
        for server in servers_of_resolver(system):
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
            for server in reversed(servers_of_resolver(system)):
                await server.start()
        await eventually(lambda: is_fresh(system, resolver, known), within=30)
    finally:
        await resolver.stop()


async def is_resolved(system: System, resolver: Server, key: RouteKey) -> bool:
    return (await system.resolve(resolver.urls[0], key)).status_code == 200


async def is_fresh(system: System, resolver: Server, key: RouteKey) -> bool:
    answer = await system.resolve(resolver.urls[0], key)
    return answer.status_code == 200 and "stale" not in answer.headers["x-cache"]
