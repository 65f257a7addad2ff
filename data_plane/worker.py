"""The background half: listening to events, keeping Redis in step, and telling the primary's time."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable, MutableMapping
from contextlib import aclosing, asynccontextmanager

import structlog

from data_plane.domain.remote_clock import RemoteClock
from data_plane.errors import StreamInterrupted
from data_plane.ports import EventStream, PrimaryTime, ReplicaLag
from data_plane.service.cache.l2 import L2Cache
from data_plane.service.events.applier import EventApplier
from data_plane.service.loading.replica_pool import ReplicaPool
from data_plane.service.loading.verifier import CacheVerifier
from data_plane.service.snapshot.persistence import SnapshotPersistence
from shared.runtime.backoff import Backoff
from shared.runtime.clock import Clock
from shared.runtime.health import DependencyHealth
from shared.runtime.resilience import DependencyUnavailable

RECONNECT_SECONDS = 5.0
"""Longest pause before the event stream is opened again."""
PAY_SECONDS = 0.2
LAG_SECONDS = 1.0
TIME_SECONDS = 10.0
FIRST_TIME_SECONDS = 0.5
RESTART_SECONDS = 1.0
LAST_SNAPSHOT_SECONDS = 10.0

_log = structlog.get_logger(__name__)
_NOTE = "kafka"


class EventListener:
    """Applies every event, for ever. A stream that broke is opened again, and whatever is cached doubted."""

    def __init__(
        self, stream: EventStream, applier: EventApplier, *, health: DependencyHealth, notes: MutableMapping[str, str]
    ) -> None:
        self._stream = stream
        self._applier = applier
        self._health = health
        self._notes = notes
        self._backoff = Backoff(RECONNECT_SECONDS)
        self._interrupted = False
        self.listening = asyncio.Event()
        """Set once no further event can go unheard."""

    async def run(self) -> None:
        """Listen until cancelled."""
        while True:
            try:
                await self._listen()
            except StreamInterrupted as interrupted:
                self._note_interruption(str(interrupted))
                await asyncio.sleep(self._backoff.pause())
            except Exception:
                self._note_interruption("applying events failed; the log says why")
                raise

    async def wait_caught_up(self, seconds: float) -> bool:
        """Wait until everything is applied that was there when listening began, at most so long.

        Returns whether it came to that.
        """
        try:
            async with asyncio.timeout(seconds):
                await self.listening.wait()
                await self._stream.caught_up()
        except TimeoutError:
            if not self.listening.is_set():
                self._notes[_NOTE] = "not listening to events yet; answers are at most one life old"
            _log.warning("not caught up with the events in time", listening=self.listening.is_set(), seconds=seconds)
            return False
        return True

    async def _listen(self) -> None:
        async with aclosing(self._stream.batches()) as batches:
            await anext(batches)
            self._note_listening()
            async for events in batches:
                if events:
                    await self._applier.apply(events)

    def _note_listening(self) -> None:
        if self._interrupted:
            self._applier.lost_track()
        self._interrupted = False
        self._backoff.reset()
        self._health.mark_up()
        self._notes.pop(_NOTE, None)
        self.listening.set()
        _log.info("listening to events")

    def _note_interruption(self, why: str) -> None:
        self._interrupted = True
        self._health.mark_down(why)
        self._notes[_NOTE] = "not listening to events; answers are at most one life old"
        _log.warning("event stream interrupted", why=why)


async def keep_redis_in_step(shared: L2Cache) -> None:
    """Write what Redis is owed as soon as it takes it."""
    while True:
        await asyncio.sleep(PAY_SECONDS)
        if shared.has_pending() and await shared.flush_pending():
            _log.info("all changes are in Redis again")


async def keep_primary_time(primary: PrimaryTime, shown: RemoteClock, clock: Clock) -> None:
    """Ask the primary for its time every ten seconds; more often until it was heard once."""
    while True:
        await learn_primary_time(primary, shown, clock)
        known = shown.latest(clock.monotonic()) is not None
        await asyncio.sleep(TIME_SECONDS if known else FIRST_TIME_SECONDS)


async def keep_watching_replica(shown: ReplicaLag, replicas: ReplicaPool) -> None:
    """Ask a replica once a second how far it is behind."""
    while True:
        try:
            lag: float | None = await shown.lag()
        except DependencyUnavailable:
            lag = None
        replicas.observe(shown.name, lag)
        await asyncio.sleep(LAG_SECONDS)


async def keep_snapshots(snapshots: SnapshotPersistence, seconds: float) -> None:
    """Write what is known to disk every so many seconds."""
    while True:
        await asyncio.sleep(seconds)
        await snapshots.write()


async def write_last_snapshot(snapshots: SnapshotPersistence) -> None:
    """On the way out, without leaving the loop to anyone; the one before stays when there is no time."""
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(LAST_SNAPSHOT_SECONDS):
            await snapshots.write(pause=0)


async def learn_primary_time(primary: PrimaryTime, shown: RemoteClock, clock: Clock) -> None:
    """Ask the primary for its time once."""
    try:
        sent = clock.monotonic()
        remote = await primary.now()
        shown.observe(sent=sent, received=clock.monotonic(), remote=remote)
    except DependencyUnavailable:
        _log.debug("the primary's time is not known")


async def keep_checking(check: CacheVerifier, seconds: float) -> None:
    """Compare one cached route with the database every so many seconds."""
    while True:
        await asyncio.sleep(seconds)
        await check.sample()


async def supervise(work: Callable[[], Awaitable[None]], name: str) -> None:
    """Run a loop that should never end, and again when it fails: the resolver answers without it meanwhile."""
    while True:
        try:
            await work()
        except Exception:  # noqa: BLE001 - logged; a fault in one loop must not end the process that answers
            _log.exception("background work failed; it is started again", work=name)
        await asyncio.sleep(RESTART_SECONDS)


@asynccontextmanager
async def running(work: Callable[[], Awaitable[None]], name: str) -> AsyncIterator[None]:
    """`supervise` in the background for as long as the block runs."""
    task = asyncio.create_task(supervise(work, name))
    try:
        yield
    finally:
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task
