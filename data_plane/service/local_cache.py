"""L1: what this process knows."""

import random
from collections import OrderedDict, deque
from collections.abc import Iterable, Iterator, Sequence

from data_plane.domain.entry import Entry, State, newest
from data_plane.service.evicted_floors import EvictedFloors
from shared.runtime.metrics import Metrics
from shared.schemas.identity import RouteKey

SAMPLED_FROM = 1024
"""How many of the keys stored last can be drawn as a sample. What is older than one life is not answered any more."""
_KINDS = {State.ACTIVE: "positive", State.ABSENT: "negative", State.INACTIVE: "tombstone"}


class LocalCache:
    """A bounded map of the newest entry of each key. An entry never gives way to an older one, expired or not.

    When it is full, the entry that was not used for the longest time goes; its revision is remembered as a floor.
    """

    def __init__(self, capacity: int, metrics: Metrics) -> None:
        self._capacity = capacity
        self._entries: OrderedDict[RouteKey, Entry] = OrderedDict()
        self._lately: deque[RouteKey] = deque(maxlen=SAMPLED_FROM)
        self._floors = EvictedFloors(capacity)
        self._heard: dict[str, int] = {}
        self._counts = dict.fromkeys(State, 0)
        writes = metrics.counter("tm_cache_writes_total")
        self._stored, self._refused = writes.labels("l1", "stored"), writes.labels("l1", "refused_older")
        self._refused_behind = writes.labels("l1", "refused_behind")
        self._evictions = metrics.counter("tm_cache_evictions_total").labels("capacity")
        self._gauge = metrics.gauge("tm_cache_entries")
        metrics.before_scrape(self._export)

    def get(self, key: RouteKey) -> Entry | None:
        """The entry of the key, expired ones included."""
        entry = self._entries.get(key)
        if entry is not None:
            self._entries.move_to_end(key)
        return entry

    def held(self, key: RouteKey) -> Entry | None:
        """As `get`, but does not count as a use."""
        return self._entries.get(key)

    def in_batches(self, size: int) -> Iterator[Sequence[Entry]]:
        """What is held when the first batch is asked for, in no order; what goes meanwhile is left out."""
        # OrderedDict's own iteration takes twenty times as long.
        keys = list(dict.keys(self._entries))
        for start in range(0, len(keys), size):
            some = (self._entries.get(key) for key in keys[start : start + size])
            yield [entry for entry in some if entry is not None]

    def one_stored_lately(self) -> RouteKey | None:
        """Any of the keys that were stored last; None before the first."""
        return random.choice(self._lately) if self._lately else None  # noqa: S311 - no secret

    def store(self, offered: Entry) -> Entry | None:
        """Compare and set. Returns what is held for the key afterwards: the newest of both.

        None, and nothing is stored, when something newer may have been held before and was evicted.
        """
        held = self._entries.get(offered.key)
        if held is None:
            return self._store_unless_behind(offered)
        winner = newest(held, offered)
        if winner is held:
            self._refused.inc()
            return winner
        self._counts[held.state] -= 1
        self._put(winner)
        return winner

    def _store_unless_behind(self, offered: Entry) -> Entry | None:
        if offered.reflects < self._floors.of(offered.key):
            self._refused_behind.inc()
            return None
        self._floors.forget(offered.key)
        self._put(offered)
        return offered

    def _put(self, entry: Entry) -> None:
        self._stored.inc()
        self._lately.append(entry.key)
        self._entries[entry.key] = entry
        self._entries.move_to_end(entry.key)
        self._counts[entry.state] += 1
        tenant = entry.key.tenant
        self._heard[tenant] = max(self._heard.get(tenant, 0), entry.revision)
        if len(self._entries) > self._capacity:
            self._evict()

    def _evict(self) -> None:
        _, entry = self._entries.popitem(last=False)
        self._counts[entry.state] -= 1
        self._floors.remember(entry)
        self._evictions.inc()

    def heard_up_to(self, tenant: str) -> int:
        """The highest revision of the tenant that anything here has ever carried; a snapshot before it is behind."""
        return self._heard.get(tenant, 0)

    def floor(self, key: RouteKey) -> int:
        """The tenant's revision that knowledge of the key must reflect, not to lack anything held or evicted here."""
        held = self._entries.get(key)
        return self._floors.of(key) if held is None else held.revision

    def tenants(self) -> Iterable[str]:
        """The tenants that anything was ever stored for."""
        return self._heard.keys()

    def _export(self) -> None:
        for state, kind in _KINDS.items():
            self._gauge.labels(kind).set(self._counts[state])
