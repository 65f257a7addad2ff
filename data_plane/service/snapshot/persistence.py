"""What this process knows, kept on disk for the one that starts after it with nobody left to ask."""

import asyncio
from collections.abc import AsyncIterator, Iterable, Iterator, Mapping, Sequence
from typing import Protocol

import structlog

from data_plane.domain.entry import Entry, State, TtlPolicy
from data_plane.domain.remote_clock import PrimaryClock
from data_plane.domain.snapshot import KeptRoute, Snapshot, SnapshotHead
from data_plane.domain.stream_coverage import StreamCoverage
from data_plane.domain.watermarks import Watermarks
from data_plane.errors import SnapshotNotWritten, SnapshotRefused
from data_plane.ports import SnapshotStore
from data_plane.service.cache.freshness import SPREAD_SECONDS, Freshness
from data_plane.service.cache.staleness import StalenessBounds
from data_plane.service.snapshot.dating import Restoring, SnapshotDates
from shared.runtime.clock import BootClock, LocalTime
from shared.runtime.metrics import Metrics
from shared.schemas.identity import RouteKey

AT_ONCE = 50
"""Routes between two turns of the event loop: less than a millisecond."""
PAUSE_SECONDS = 0.001
"""Between them, so that requests have most of the loop: 200,000 routes take some seconds."""

_log = structlog.get_logger(__name__)


class HeldRoutes(Protocol):
    """The process's cache, as far as a snapshot needs it."""

    def in_batches(self, size: int) -> Iterator[Sequence[Entry]]:
        """What is held."""

    def store(self, offered: Entry) -> Entry | None:
        """Compare and set."""

    def sample_recent_key(self) -> RouteKey | None:
        """None when nothing ever was."""

    def tenants(self) -> Iterable[str]:
        """Those that anything was ever stored for."""


class SnapshotPersistence:
    """Writes and reads snapshots; never raises for the disk.

    Each route is kept with what was proven of it at that moment, so that it stands by itself: the next process begins
    without this one's memory. The argument is in docs/adr/0021.
    """

    def __init__(
        self,
        store: SnapshotStore,
        *,
        local: HeldRoutes,
        coverage: StalenessBounds,
        freshness: Freshness,
        watermarks: Watermarks,
        heard: StreamCoverage,
        primary_clock: PrimaryClock,
        lives: TtlPolicy,
        clock: BootClock,
        metrics: Metrics,
    ) -> None:
        self._store = store
        self._local = local
        self._coverage = coverage
        self._freshness = freshness
        self._watermarks = watermarks
        self._heard = heard
        self._primary_clock = primary_clock
        self._lives = lives
        self._clock = clock
        self._dates = SnapshotDates(clock, primary_clock)
        self._restored: Mapping[int, int] = {}
        self._restored_at = clock.monotonic()
        self._written_at = clock.monotonic()
        self._booted_from = metrics.gauge("tm_warm_start_source_info").labels("snapshot")
        self._size = metrics.gauge("tm_snapshot_bytes")
        failures = metrics.counter("tm_snapshot_failures_total")
        self._unwritten, self._unread = failures.labels("write"), failures.labels("read")
        age = metrics.gauge("tm_snapshot_age_seconds")
        metrics.before_scrape(lambda: age.set(clock.monotonic() - self._written_at))

    async def write(self, pause: float = PAUSE_SECONDS) -> None:
        """Keep what is known now. An empty cache is not worth the snapshot that it would replace."""
        if self._local.sample_recent_key() is None:
            return
        began = self._clock.monotonic()
        try:
            size = await self._store.write(self._head(), self._kept(pause, self._primary_clock.set_at))
        except SnapshotNotWritten as failure:
            self._unwritten.inc()
            _log.warning("the snapshot was not written", why=str(failure))
            return
        self._written_at = self._clock.monotonic()
        self._size.set(size)
        _log.debug("snapshot written", bytes=size, seconds=round(self._written_at - began, 3))

    async def read(self) -> Mapping[int, int]:
        """Know again what the last snapshot holds. Returns the offsets from which events are to be heard; may be none."""
        try:
            snapshot = await self._store.read()
        except SnapshotRefused as refusal:
            self._unread.inc()
            _log.error("the snapshot is refused; starting without it", why=str(refusal))
            return {}
        if snapshot is None:
            _log.info("there is no snapshot yet")
            return {}
        await self._restore(snapshot)
        self._restored, self._restored_at = snapshot.head.offsets, self._clock.monotonic()
        return snapshot.head.offsets

    def mark_restored_suspect(self) -> None:
        """What was changed since the snapshot was written is not heard yet: nothing of it is answered unchecked.

        Dated by when it was read: the time that was spent on waiting for events counts.
        """
        if self._restored:
            self._freshness.mark_all_suspect(self._local.tenants(), before=self._restored_at)

    def _head(self) -> SnapshotHead:
        # Taken before the routes: an event in between is heard again, and changes nothing.
        offsets = self._heard.offsets or self._restored
        now = self._clock.now().timestamp()
        return SnapshotHead(now, dict(offsets), self._watermarks.newest(), self._dates.now())

    async def _kept(self, pause: float, clock_set_at: LocalTime) -> AsyncIterator[Sequence[KeptRoute]]:
        for entries in self._local.in_batches(AT_ONCE):
            if self._primary_clock.set_at != clock_set_at:
                raise SnapshotNotWritten(
                    "the primary's clock was set meanwhile, and the head knows it as it was before"
                )
            now = self._clock.monotonic()
            yield [self._keep(entry, now) for entry in entries if entry.state is not State.ABSENT]
            await asyncio.sleep(pause)

    def _keep(self, entry: Entry, now: LocalTime) -> KeptRoute:
        # Doubt is not kept: what is doubted has had its life.
        is_doubted = now < entry.expires_at and not self._freshness.is_fresh(entry, LocalTime(now + SPREAD_SECONDS))
        return KeptRoute(
            entry.key,
            entry.state,
            entry.url,
            entry.revision,
            self._dates.date(entry.read_at),
            self._dates.date(now if is_doubted else entry.expires_at),
            self._coverage.proven_at(entry),
            self._coverage.revision(entry),
        )

    async def _restore(self, snapshot: Snapshot) -> None:
        head = snapshot.head
        wall_age = max(0.0, self._clock.now().timestamp() - head.written_at)
        dates = self._dates.known(head.host)
        # Without offsets to hear on from, changes in between go unheard: then nothing has a life left.
        has_life = dates.is_confirmed and bool(head.offsets)
        restoring = Restoring(dates, self._lives, has_life=has_life, now=self._clock.monotonic(), wall_age=wall_age)
        for number, route in enumerate(snapshot.routes):
            self._local.store(restoring.entry(route))
            if number % AT_ONCE == 0:
                await asyncio.sleep(0)
        self._watermarks.resume(head.revisions)
        self._booted_from.set(bool(snapshot.routes))
        _log.info(
            "restored the snapshot",
            routes=len(snapshot.routes),
            tenants=len(head.revisions),
            hears_on=bool(head.offsets),
            same_boot=dates.is_same_boot,
            age_by_wall_clock=round(wall_age),
        )
