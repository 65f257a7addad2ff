"""Steps of tests in which a process follows another one."""

from tests.fakes.data_plane_world import KEY, Instance, World


async def restarted(
    world: World, *, after: float = 1.0, knows_the_time: bool = True, elsewhere: bool = False
) -> Instance:
    """An instance that has read what another one has written so long ago; `elsewhere`: not on the same boot."""
    world.clock.advance(after)
    if elsewhere:
        world.clock.reboot()
    instance = world.instance(knows_the_time=knows_the_time)
    await instance.snapshots.read()
    return instance


async def instance_that_knows(world: World, url: str | None = "https://v1", *, knows_the_time: bool = True) -> Instance:
    """An instance that has read the route from the database, and has written a snapshot of it."""
    world.database.commit(KEY, "https://v0")
    world.database.commit(KEY, url)
    instance = world.instance(knows_the_time=knows_the_time)
    await instance.resolve()
    await instance.snapshots.write(pause_seconds=0)
    return instance
