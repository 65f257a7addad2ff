"""Reads from a Redis replica of the resolver's own zone."""

from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from msgspec.structs import replace
from redis.asyncio import Redis

from data_plane.adapters.redis.route_cache import RedisRouteCache, connect
from data_plane.adapters.redis.zone_replica import MASTER_TIME_SECONDS
from data_plane.domain.entry import Entry
from deploy.local.local_process import LocalProcess
from deploy.local.redis import RedisServer
from deploy.local.stack import Stack
from deploy.local.state import StateDirectory
from shared.runtime.clock import LocalTime, SystemClock
from shared.runtime.resilience import DependencyUnavailable
from tests.support.resolver_adapters import a_key, an_entry, redis_cache
from tests.support.waiting import eventually


class LaterClock(SystemClock):
    """The system's clock, set ahead."""

    ahead_seconds = 0.0

    def monotonic(self) -> LocalTime:
        return LocalTime(super().monotonic() + self.ahead_seconds)


@dataclass
class Zone:
    """A replica, and a resolver's route cache that reads from it and has read the master's time."""

    server: LocalProcess
    client: Redis
    cache: RedisRouteCache
    clock: LaterClock
    master: str

    async def follow(self) -> None:
        """Replicate the master, and have all that it has."""
        address, master = urlsplit(self.master), connect(self.master, 2.0)
        await master.config_set("repl-diskless-sync-delay", 0)  # the default waits 5 s for more replicas
        await master.aclose()
        await self.client.replicaof(address.hostname, address.port)

        async def is_linked() -> bool:
            return (await self.client.info("replication")).get("master_link_status") == "up"

        await eventually(is_linked)
        await self.cache.get(a_key())

    async def detach(self) -> None:
        """Keep what it has, and receive nothing more: a replica that lags without end."""
        await self.client.replicaof("NO", "ONE")

    async def has(self, entry: Entry) -> None:
        """Wait until the replica has an entry of this key."""
        await eventually(lambda: self.client.exists(f"route:{entry.key}"))


@pytest.fixture
async def zone(stack: Stack, tmp_path: Path) -> AsyncIterator[Zone]:
    """A replica of the stack's Redis."""
    server = LocalProcess(RedisServer(StateDirectory(tmp_path)), StateDirectory(tmp_path))
    await server.start()
    clock, master = LaterClock(), stack.urls.redis
    cache = redis_cache(master, zone_replica=server.urls[0], clock=clock)
    each = Zone(server, connect(server.urls[0], 2.0), cache, clock, master)
    try:
        await each.follow()
        yield each
    finally:
        await cache.close()
        await each.client.aclose()
        await server.stop()


async def revision(cache: RedisRouteCache, entry: Entry) -> int | None:
    found = await cache.get(entry.key)
    return None if found is None else found.revision


async def put_and_replicate(zone: Zone) -> Entry:
    """An entry that the replica has, and a newer one that only the master has."""
    entry = an_entry(a_key(), 3)
    await zone.cache.put([entry])
    await zone.has(entry)
    await zone.detach()
    await zone.cache.put([an_entry(entry.key, 4)])
    return entry


async def test_fresh_entry_is_read_from_the_replica(zone: Zone) -> None:
    entry = await put_and_replicate(zone)
    assert await revision(zone.cache, entry) == 3
    elsewhere = redis_cache(zone.master)
    assert await revision(elsewhere, entry) == 4
    await elsewhere.close()


async def test_entry_of_the_replica_expires_when_the_masters_does(zone: Zone) -> None:
    entry = await put_and_replicate(zone)
    found = await zone.cache.get(entry.key)
    assert found is not None
    assert entry.expires_at - 0.1 <= found.expires_at <= entry.expires_at + 0.001


async def test_what_the_replica_lacks_is_read_from_the_master(zone: Zone) -> None:
    entry = await put_and_replicate(zone)
    other = an_entry(a_key(), 9)
    await zone.cache.put([other])
    found = await zone.cache.get_many([other.key, a_key(), entry.key])
    assert [each.revision if isinstance(each, Entry) else each for each in found] == [9, None, 3]


async def test_expired_entry_of_the_replica_is_read_from_the_master(zone: Zone) -> None:
    expired = an_entry(a_key(), 3, remaining=-5, age=65)
    await zone.cache.put([expired])
    await zone.has(expired)
    await zone.detach()
    await zone.cache.put([replace(expired, revision=4)])
    assert await revision(zone.cache, expired) == 4


async def test_master_is_read_when_its_time_was_not_read_for_long(zone: Zone) -> None:
    entry = await put_and_replicate(zone)
    zone.clock.ahead_seconds = MASTER_TIME_SECONDS
    assert await revision(zone.cache, entry) == 4
    assert await revision(zone.cache, entry) == 3


async def test_frozen_or_stopped_replica_leaves_the_reads_to_the_master(zone: Zone) -> None:
    entry = await put_and_replicate(zone)
    cache = redis_cache(zone.master, 0.2, zone_replica=zone.server.urls[0])
    await cache.get(a_key())
    await zone.server.freeze()
    assert await revision(cache, entry) == 4
    await zone.server.thaw()
    await zone.server.stop()
    assert await revision(cache, entry) == 4
    await cache.close()


async def test_replica_answers_while_the_master_is_down(zone: Zone, stack: Stack) -> None:
    entry = await put_and_replicate(zone)
    await stack.redis.freeze()
    try:
        found = await zone.cache.get_many([entry.key, a_key()])
        with pytest.raises(DependencyUnavailable):
            await zone.cache.get(a_key())
    finally:
        await stack.redis.thaw()
    assert [each.revision if isinstance(each, Entry) else each for each in found] == [3, None]
