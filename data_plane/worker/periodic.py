"""Work that the resolver repeats in the background; each of these runs until it is cancelled."""

import asyncio
import contextlib

import structlog

from data_plane.domain.remote_clock import PrimaryClock
from data_plane.ports import PrimaryTimeSource, ReplicaLag
from data_plane.service.cache.l2 import L2Cache
from data_plane.service.loading.replica_pool import ReplicaPool
from data_plane.service.loading.verifier import CacheVerifier
from data_plane.service.snapshot.persistence import SnapshotPersistence
from shared.runtime.clock import Clock
from shared.runtime.resilience import DependencyUnavailable

FLUSH_SECONDS = 0.2
LAG_SECONDS = 1.0
TIME_SECONDS = 10.0
FIRST_TIME_SECONDS = 0.5
LAST_SNAPSHOT_SECONDS = 10.0

_log = structlog.get_logger(__name__)


async def keep_redis_in_step(shared: L2Cache) -> None:
    """Write the pending changes to Redis every 0.2 s, until Redis accepts them."""
    while True:
        await asyncio.sleep(FLUSH_SECONDS)
        if shared.has_pending() and await shared.flush_pending():
            _log.info("all pending changes are in Redis")


async def keep_primary_time(primary: PrimaryTimeSource, remote_clock: PrimaryClock, clock: Clock) -> None:
    """Read the primary's time every 10 s; every 0.5 s until it is known."""
    while True:
        await learn_primary_time(primary, remote_clock, clock)
        is_known = remote_clock.latest(clock.monotonic()) is not None
        await asyncio.sleep(TIME_SECONDS if is_known else FIRST_TIME_SECONDS)


async def learn_primary_time(primary: PrimaryTimeSource, remote_clock: PrimaryClock, clock: Clock) -> None:
    """Read the primary's time once."""
    try:
        sent = clock.monotonic()
        remote = await primary.now()
        remote_clock.observe(sent=sent, received=clock.monotonic(), remote=remote)
    except DependencyUnavailable as error:
        _log.debug("the primary's time was not read", why=error.why)


async def keep_replica_lag(source: ReplicaLag, replicas: ReplicaPool) -> None:
    """Measure a replica's lag once a second."""
    while True:
        try:
            lag: float | None = await source.lag()
        except DependencyUnavailable:
            lag = None
        replicas.observe(source.name, lag)
        await asyncio.sleep(LAG_SECONDS)


async def keep_snapshots(snapshots: SnapshotPersistence, every_seconds: float) -> None:
    """Write a snapshot to disk at this interval."""
    while True:
        await asyncio.sleep(every_seconds)
        await snapshots.write()


async def write_last_snapshot(snapshots: SnapshotPersistence) -> None:
    """Write a snapshot on shutdown, without yielding between batches. The previous one stays when there is no time."""
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(LAST_SNAPSHOT_SECONDS):
            await snapshots.write(pause_seconds=0)


async def keep_verifying(verifier: CacheVerifier, every_seconds: float) -> None:
    """Compare one cached route with the database at this interval."""
    while True:
        await asyncio.sleep(every_seconds)
        await verifier.sample()
