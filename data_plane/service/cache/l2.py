"""L2: the cache that all instances share, and the rules that keep old values from coming back from it."""

from collections.abc import MutableMapping, Sequence

from data_plane.domain.entry import Entry, TtlPolicy, newest
from data_plane.errors import UnreadableEntry
from data_plane.ports import RouteCache
from shared.runtime.clock import Clock
from shared.runtime.metrics import Metrics
from shared.runtime.metrics_buffer import BufferedCounter
from shared.runtime.resilience import DependencyUnavailable
from shared.schemas.identity import RouteKey

MAX_PENDING = 10_000
BATCH_SIZE = 100
"""Entries in one write."""
_NOTE = "redis"
_LOOKUPS = ("hit", "negative", "miss", "expired", "error")
_WRITES = ("stored", "refused_older", "refused_behind", "failed")


class L2Cache:
    """Reads and writes the shared cache; never raises if it is unavailable.

    A change that could not be written is pending. While changes are pending the cache may hold the values before them,
    so it is not read. If there are more than `MAX_PENDING`, some are dropped, and the cache is not read for one positive
    TTL after the others were written: by then, all that it held has expired.
    """

    def __init__(
        self,
        cache: RouteCache,
        *,
        ttl_policy: TtlPolicy,
        clock: Clock,
        metrics: Metrics,
        notes: MutableMapping[str, str],
    ) -> None:
        self._cache = cache
        self._ttl_policy = ttl_policy
        self._clock = clock
        self._notes = notes
        self._pending: dict[RouteKey, Entry] = {}
        self._has_dropped = False
        self._not_read_until = 0.0
        self._is_up = True
        lookups, writes = metrics.counter("tm_cache_lookups_total"), metrics.counter("tm_cache_writes_total")
        self._lookups = {
            outcome: BufferedCounter(metrics, lookups.labels("redis", outcome).inc) for outcome in _LOOKUPS
        }
        self._writes = {outcome: writes.labels("redis", outcome) for outcome in _WRITES}

    def is_read(self) -> bool:
        """Whether the cache is read now: not while it may lack changes."""
        return not self._pending and self._clock.monotonic() >= self._not_read_until

    def is_usable(self) -> bool:
        """Whether the next load can expect an answer: the cache is read, and the last call to it succeeded."""
        return self._is_up and self.is_read()

    async def get(self, keys: Sequence[RouteKey]) -> Sequence[Entry | None]:
        """The entry of each key, expired or not; None where there is none, or while the cache is not read."""
        if not self.is_read():
            self._lookups["miss"].count += len(keys)
            return [None] * len(keys)
        try:
            replies = await self._cache.get_many(keys)
        except DependencyUnavailable:
            self._is_up = False
            self._lookups["error"].count += len(keys)
            return [None] * len(keys)
        self._is_up = True
        now = self._clock.monotonic()
        entries = [self._entry(reply, now) for reply in replies]
        # A change may have become pending before the reply arrived.
        return entries if self.is_read() else [None] * len(keys)

    async def fill(self, entry: Entry) -> Entry | None:
        """Store an entry that was read from a database. Returns the newer entry of another instance, if there is one."""
        if not self._is_up:
            # The lookup before this load failed: a second timeout would add nothing.
            self._writes["failed"].inc()
            return None
        try:
            (newer,) = await self._write([entry])
        except DependencyUnavailable:
            return None
        return None if newer is None else self._ttl_policy.cap(newer)

    def count_refused_behind(self) -> None:
        """Count a reading that is too old to be stored for other instances."""
        self._writes["refused_behind"].inc()

    async def push(self, entries: Sequence[Entry]) -> None:
        """Store changes. Returns when they are stored or pending."""
        for start in range(0, len(entries), BATCH_SIZE):
            if self._pending:
                self._enqueue_write(entries[start:])
                return
            try:
                await self._write(entries[start : start + BATCH_SIZE])
            except DependencyUnavailable:
                self._enqueue_write(entries[start:])
                return

    async def flush_pending(self) -> bool:
        """Write the pending changes. Returns whether none is left; the caller tries again later if not."""
        while self._pending:
            some = list(self._pending.values())[:BATCH_SIZE]
            try:
                await self._write(some)
            except DependencyUnavailable:
                return False
            self._discard_written(some)
        if self._has_dropped:
            self._not_read_until = self._clock.monotonic() + self._ttl_policy.positive_seconds
            self._has_dropped = False
        self._notes.pop(_NOTE, None)
        return True

    def has_pending(self) -> bool:
        """Whether changes are waiting to be written."""
        return bool(self._pending)

    async def _write(self, entries: Sequence[Entry]) -> Sequence[Entry | None]:
        try:
            newer = await self._cache.put(entries)
        except DependencyUnavailable:
            self._is_up = False
            self._writes["failed"].inc(len(entries))
            raise
        self._is_up = True
        refused = sum(each is not None for each in newer)
        self._writes["refused_older"].inc(refused)
        self._writes["stored"].inc(len(entries) - refused)
        return newer

    def _enqueue_write(self, entries: Sequence[Entry]) -> None:
        for entry in entries:
            pending = self._pending.get(entry.key)
            if pending is not None:
                self._pending[entry.key] = newest(pending, entry)
            elif len(self._pending) < MAX_PENDING:
                self._pending[entry.key] = entry
            else:
                self._has_dropped = True
        self._notes[_NOTE] = f"{len(self._pending)} changes are not in Redis yet; it is not read until they are"

    def _discard_written(self, written: Sequence[Entry]) -> None:
        for entry in written:
            # A newer change of the same key may have been added meanwhile.
            if self._pending.get(entry.key) is entry:
                del self._pending[entry.key]

    def _entry(self, reply: Entry | UnreadableEntry | None, now: float) -> Entry | None:
        if not isinstance(reply, Entry):
            self._lookups["miss" if reply is None else "error"].count += 1
            return None
        entry = self._ttl_policy.cap(reply)
        outcome = "hit" if entry.value is not None else "negative"
        self._lookups[outcome if now < entry.expires_at else "expired"].count += 1
        return entry
