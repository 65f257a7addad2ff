"""Steps of tests that restart a resolver from its snapshot."""

from typing import Any

from tests.fakes.data_plane_world import KEY, Instance, World


async def restarted(
    world: World, *, after: float = 1.0, knows_primary_time: bool = True, elsewhere: bool = False, **settings: Any
) -> Instance:
    """An instance that has restored the snapshot that another one wrote some seconds ago; `elsewhere`: on another boot."""
    world.clock.advance(after)
    if elsewhere:
        world.clock.reboot()
    instance = world.instance(knows_primary_time=knows_primary_time, **settings)
    await instance.snapshots.read()
    return instance


async def instance_that_knows(
    world: World, url: str | None = "https://v1", *, knows_primary_time: bool = True
) -> Instance:
    """An instance that has loaded the route from the database and written a snapshot."""
    world.database.commit(KEY, "https://v0")
    world.database.commit(KEY, url)
    instance = world.instance(knows_primary_time=knows_primary_time)
    await instance.resolve()
    await instance.snapshots.write(pause_seconds=0)
    return instance
