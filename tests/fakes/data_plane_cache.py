"""The cache that resolver instances share, in a dict."""

from collections.abc import Sequence

from data_plane.domain.entry import Entry, newest
from data_plane.errors import UnreadableEntry
from shared.runtime.resilience import DependencyUnavailable
from shared.schemas.identity import RouteKey


class FakeRouteCache:
    """Keeps the newest entry of each key, unless `is_down`. `flush` is a restart without persistence.

    `unreadable`: keys whose stored bytes are no entry. While `replica` is not None, reads get the entries that it has, however
    old, and only what it lacks from the cache itself.
    """

    def __init__(self) -> None:
        self.entries: dict[RouteKey, Entry] = {}
        self.replica: dict[RouteKey, Entry] | None = None
        self.unreadable: set[RouteKey] = set()
        self.is_down = False
        self.gets = 0
        self.puts = 0

    async def get(self, key: RouteKey) -> Entry | None:
        self.gets += 1
        self._check()
        if key in self.unreadable:
            raise UnreadableEntry(f"{key}")
        return self._read(key)

    async def get_many(self, keys: Sequence[RouteKey]) -> Sequence[Entry | UnreadableEntry | None]:
        self.gets += len(keys)
        self._check()
        return [UnreadableEntry(f"{key}") if key in self.unreadable else self._read(key) for key in keys]

    def _read(self, key: RouteKey) -> Entry | None:
        return (self.replica or {}).get(key) or self.entries.get(key)

    async def put(self, entries: Sequence[Entry]) -> Sequence[Entry | None]:
        self.puts += 1
        self._check()
        return [self._put(entry) for entry in entries]

    def _put(self, entry: Entry) -> Entry | None:
        held = self.entries.get(entry.key)
        if held is not None and (held.revision, held.expires_at) >= (entry.revision, entry.expires_at):
            return held
        self.entries[entry.key] = entry if held is None else newest(held, entry)
        return None

    async def hot_keys(self, limit: int) -> Sequence[RouteKey]:
        self._check()
        return list(self.entries)[:limit]

    def flush(self) -> None:
        """Delete everything."""
        self.entries.clear()

    def _check(self) -> None:
        if self.is_down:
            raise DependencyUnavailable("redis", "it is down")
