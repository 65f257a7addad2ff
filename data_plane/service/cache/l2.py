"""L2: the cache that the instances share, and what it takes for no old value to come back from it."""

from collections.abc import MutableMapping, Sequence

from data_plane.domain.entry import Entry, TtlPolicy, newest
from data_plane.errors import UnreadableEntry
from data_plane.ports import RouteCache
from shared.runtime.clock import Clock
from shared.runtime.metrics import Metrics
from shared.runtime.metrics_buffer import BufferedCounter
from shared.runtime.resilience import DependencyUnavailable
from shared.schemas.identity import RouteKey

MAX_OWED = 10_000
AT_ONCE = 100
_NOTE = "redis"
_LOOKUPS = ("hit", "negative", "miss", "expired", "error")
_WRITES = ("stored", "refused_older", "refused_behind", "failed")


class L2Cache:
    """Reads and writes the shared cache; never raises for it.

    Changes that could not be written are owed: until they are, the cache may hold the values before them, so nothing
    is read from it. Where too many are owed, some are forgotten, and the cache is not read for one more life after the
    others were written: by then what it held has expired.
    """

    def __init__(
        self, cache: RouteCache, *, lives: TtlPolicy, clock: Clock, metrics: Metrics, notes: MutableMapping[str, str]
    ) -> None:
        self._cache = cache
        self._lives = lives
        self._clock = clock
        self._notes = notes
        self._owed: dict[RouteKey, Entry] = {}
        self._forgot = False
        self._unread_until = 0.0
        self._answers = True
        lookups, writes = metrics.counter("tm_cache_lookups_total"), metrics.counter("tm_cache_writes_total")
        self._lookups = {
            outcome: BufferedCounter(metrics, lookups.labels("redis", outcome).inc) for outcome in _LOOKUPS
        }
        self._writes = {outcome: writes.labels("redis", outcome) for outcome in _WRITES}

    async def get(self, keys: Sequence[RouteKey]) -> Sequence[Entry | None]:
        """The entry of each key, expired ones included; None where there is none, or none that can be trusted."""
        if not self._is_trusted():
            self._lookups["miss"].count += len(keys)
            return [None] * len(keys)
        try:
            held = await self._cache.get_many(keys)
        except DependencyUnavailable:
            self._answers = False
            self._lookups["error"].count += len(keys)
            return [None] * len(keys)
        self._answers = True
        now = self._clock.monotonic()
        entries = [self._count(each, now) for each in held]
        # A change may have become owed while the reply was on its way.
        return entries if self._is_trusted() else [None] * len(keys)

    def is_read(self) -> bool:
        """Whether anything is read from it now: not while it may lack changes."""
        return self._is_trusted()

    async def fill(self, entry: Entry) -> Entry | None:
        """Store what was read from a database. Returns the newer entry that another instance has stored, if any."""
        if not self._answers:
            # The look-up before this load failed: a second wait would tell nothing new.
            self._writes["failed"].inc()
            return None
        try:
            return self._capped((await self._write([entry]))[0])
        except DependencyUnavailable:
            return None

    def refuse_behind(self) -> None:
        """Count a reading that is too old to be stored for others."""
        self._writes["refused_behind"].inc()

    async def push(self, entries: Sequence[Entry]) -> None:
        """Store changes. Returns when they are stored or owed."""
        for start in range(0, len(entries), AT_ONCE):
            if self._owed:
                self._enqueue_write(entries[start:])
                return
            try:
                await self._write(entries[start : start + AT_ONCE])
            except DependencyUnavailable:
                self._enqueue_write(entries[start:])
                return

    async def flush_pending(self) -> bool:
        """Write what is owed. Returns whether all of it is written; tried again by whoever calls this again."""
        while self._owed:
            some = list(self._owed.values())[:AT_ONCE]
            try:
                await self._write(some)
            except DependencyUnavailable:
                return False
            self._discard_written(some)
        self._settled()
        return True

    def has_pending(self) -> bool:
        """Whether changes are waiting to be written."""
        return bool(self._owed)

    async def _write(self, entries: Sequence[Entry]) -> Sequence[Entry | None]:
        try:
            stood = await self._cache.put(entries)
        except DependencyUnavailable:
            self._answers = False
            self._writes["failed"].inc(len(entries))
            raise
        self._answers = True
        refused = sum(each is not None for each in stood)
        self._writes["refused_older"].inc(refused)
        self._writes["stored"].inc(len(entries) - refused)
        return stood

    def _enqueue_write(self, entries: Sequence[Entry]) -> None:
        for entry in entries:
            owed = self._owed.get(entry.key)
            if owed is not None:
                self._owed[entry.key] = newest(owed, entry)
            elif len(self._owed) < MAX_OWED:
                self._owed[entry.key] = entry
            else:
                self._forgot = True
        self._notes[_NOTE] = f"{len(self._owed)} changes are not in Redis yet; it is not read until they are"

    def _discard_written(self, written: Sequence[Entry]) -> None:
        for entry in written:
            # A newer change of the same key may have come in meanwhile.
            if self._owed.get(entry.key) is entry:
                del self._owed[entry.key]

    def _settled(self) -> None:
        if self._forgot:
            self._unread_until = self._clock.monotonic() + self._lives.positive
            self._forgot = False
        self._notes.pop(_NOTE, None)

    def _capped(self, entry: Entry | None) -> Entry | None:
        return None if entry is None else self._lives.cap(entry)

    def _is_trusted(self) -> bool:
        return not self._owed and self._clock.monotonic() >= self._unread_until

    def _count(self, held: Entry | UnreadableEntry | None, now: float) -> Entry | None:
        if not isinstance(held, Entry):
            self._lookups["miss" if held is None else "error"].count += 1
            return None
        entry = self._lives.cap(held)
        fresh = "hit" if entry.url is not None else "negative"
        self._lookups[fresh if now < entry.expires_at else "expired"].count += 1
        return entry
