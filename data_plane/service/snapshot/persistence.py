"""Writes L1 to disk and restores it in the next process, which may start while no source can be read."""

import asyncio
from collections.abc import AsyncIterator, Mapping, Sequence

import structlog

from data_plane.domain.entry import Entry, State, TtlPolicy
from data_plane.domain.remote_clock import PrimaryClock
from data_plane.domain.snapshot import KeptRoute, Snapshot, SnapshotHead
from data_plane.domain.stream_coverage import StreamCoverage
from data_plane.domain.watermarks import Watermarks
from data_plane.errors import SnapshotNotWritten, SnapshotRefused
from data_plane.ports import SnapshotStore
from data_plane.service.cache.freshness import SPREAD_SECONDS, Freshness
from data_plane.service.cache.l1 import L1Cache
from data_plane.service.cache.staleness import StalenessBounds
from data_plane.service.snapshot.dating import Restoring, SnapshotDates
from shared.runtime.clock import BootClock, LocalTime
from shared.runtime.metrics import Metrics

BATCH_SIZE = 50
"""Routes handled in one iteration of the event loop: less than a millisecond."""
PAUSE_SECONDS = 0.001
"""Pause between batches, so that requests get most of the loop: 200,000 routes take some seconds."""

_log = structlog.get_logger(__name__)


class SnapshotPersistence:
    """Writes and restores snapshots; never raises if the disk fails.

    Each route is written with what is proven of it at that moment, because the next process has no stream coverage from
    before its start. docs/adr/0021 has the proof.
    """

    def __init__(
        self,
        store: SnapshotStore,
        *,
        l1: L1Cache,
        staleness: StalenessBounds,
        freshness: Freshness,
        watermarks: Watermarks,
        stream_coverage: StreamCoverage,
        primary_clock: PrimaryClock,
        ttl_policy: TtlPolicy,
        clock: BootClock,
        metrics: Metrics,
    ) -> None:
        self._store = store
        self._l1 = l1
        self._staleness = staleness
        self._freshness = freshness
        self._watermarks = watermarks
        self._stream_coverage = stream_coverage
        self._primary_clock = primary_clock
        self._ttl_policy = ttl_policy
        self._clock = clock
        self._dates = SnapshotDates(clock, primary_clock)
        self._restored_offsets: Mapping[int, int] = {}
        self._restored_at = clock.monotonic()
        self._written_at = clock.monotonic()
        self._started_from = metrics.gauge("tm_warm_start_source_info").labels("snapshot")
        self._size = metrics.gauge("tm_snapshot_bytes")
        failures = metrics.counter("tm_snapshot_failures_total")
        self._write_failures, self._read_failures = failures.labels("write"), failures.labels("read")
        age = metrics.gauge("tm_snapshot_age_seconds")
        metrics.before_scrape(lambda: age.set(clock.monotonic() - self._written_at))

    async def write(self, pause_seconds: float = PAUSE_SECONDS) -> None:
        """Replace the snapshot. Does nothing if L1 is empty: the snapshot on disk is worth more."""
        if self._l1.sample_recent_key() is None:
            return
        began = self._clock.monotonic()
        try:
            size = await self._store.write(self._head(), self._routes(pause_seconds, self._primary_clock.set_at))
        except SnapshotNotWritten as failure:
            self._write_failures.inc()
            _log.warning("snapshot not written", why=str(failure))
            return
        self._written_at = self._clock.monotonic()
        self._size.set(size)
        _log.debug("snapshot written", bytes=size, seconds=round(self._written_at - began, 3))

    async def read(self) -> Mapping[int, int]:
        """Restore the last snapshot. Returns the offsets from which to read events; empty if there are none."""
        try:
            snapshot = await self._store.read()
        except SnapshotRefused as refusal:
            self._read_failures.inc()
            _log.error("snapshot refused; starting without it", why=str(refusal))
            return {}
        if snapshot is None:
            _log.info("there is no snapshot yet")
            return {}
        await self._restore(snapshot)
        self._restored_offsets, self._restored_at = snapshot.head.offsets, self._clock.monotonic()
        return snapshot.head.offsets

    def mark_restored_suspect(self) -> None:
        """The changes since the snapshot are not applied yet, so the restored entries must be loaded again.

        The mark is dated by the reading of the snapshot, so that the time spent waiting for the events counts.
        """
        if self._restored_offsets:
            self._freshness.mark_all_suspect(self._l1.tenants(), before=self._restored_at)

    def _head(self) -> SnapshotHead:
        # Taken before the routes: an event that is applied in between is applied again by the next process, harmlessly.
        offsets = self._stream_coverage.offsets or self._restored_offsets
        now = self._clock.now().timestamp()
        return SnapshotHead(now, dict(offsets), self._watermarks.newest(), self._dates.now())

    async def _routes(self, pause_seconds: float, clock_set_at: LocalTime) -> AsyncIterator[Sequence[KeptRoute]]:
        for entries in self._l1.in_batches(BATCH_SIZE):
            if self._primary_clock.set_at != clock_set_at:
                raise SnapshotNotWritten(
                    "the primary's clock was set during the writing, and the head has it as before"
                )
            now = self._clock.monotonic()
            yield [self._route(entry, now) for entry in entries if entry.state is not State.ABSENT]
            await asyncio.sleep(pause_seconds)

    def _route(self, entry: Entry, now: LocalTime) -> KeptRoute:
        # Suspect marks are not written: a suspect entry is written as expired.
        is_suspect = now < entry.expires_at and not self._freshness.is_fresh(entry, LocalTime(now + SPREAD_SECONDS))
        known = self._l1.known(entry)
        return KeptRoute(
            entry.key,
            entry.state,
            entry.value,
            entry.revision,
            self._dates.date(entry.read_at),
            self._dates.date(now if is_suspect else entry.expires_at),
            self._staleness.proven_at(known),
            self._staleness.revision(known),
        )

    async def _restore(self, snapshot: Snapshot) -> None:
        head = snapshot.head
        wall_age = max(0.0, self._clock.now().timestamp() - head.written_at)
        clocks = self._dates.clocks_of(head.host)
        # Without offsets to resume from, the changes in between are missing: no entry keeps its TTL.
        keeps_ttl = clocks.is_confirmed and bool(head.offsets)
        restoring = Restoring(
            clocks, self._ttl_policy, keeps_ttl=keeps_ttl, now=self._clock.monotonic(), wall_age_seconds=wall_age
        )
        for number, route in enumerate(snapshot.routes):
            self._l1.store(restoring.entry(route))
            if number % BATCH_SIZE == 0:
                await asyncio.sleep(0)
        self._watermarks.resume(head.revisions)
        self._started_from.set(bool(snapshot.routes))
        _log.info(
            "snapshot restored",
            routes=len(snapshot.routes),
            tenants=len(head.revisions),
            resumes_events=bool(head.offsets),
            same_boot=clocks.is_same_boot,
            wall_age_seconds=round(wall_age),
        )
