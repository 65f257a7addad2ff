"""L1: what this process knows."""

import random
from collections import OrderedDict, deque
from collections.abc import Iterable

from data_plane.domain.entry import Entry, State, newest
from shared.runtime.metrics import Metrics
from shared.schemas.identity import RouteKey

SAMPLED_FROM = 1024
"""How many of the keys stored last can be drawn as a sample. What is older than one life is not answered any more."""
_KINDS = {State.ACTIVE: "positive", State.ABSENT: "negative", State.INACTIVE: "tombstone"}


class LocalCache:
    """A bounded map of the newest entry of each key. An entry never gives way to an older one, expired or not.

    When it is full, the entry that was not used for the longest time goes. Its revision stays behind in `evicted`: a
    floor for its tenant, below which nothing can be told for certain any more.
    """

    def __init__(self, capacity: int, metrics: Metrics) -> None:
        self._capacity = capacity
        self._entries: OrderedDict[RouteKey, Entry] = OrderedDict()
        self._lately: deque[RouteKey] = deque(maxlen=SAMPLED_FROM)
        self._floors: dict[str, int] = {}
        self._evicted: dict[str, int] = {}
        self._counts = dict.fromkeys(State, 0)
        writes = metrics.counter("tm_cache_writes_total")
        self._stored, self._refused = writes.labels("l1", "stored"), writes.labels("l1", "refused_older")
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

    def one_stored_lately(self) -> RouteKey | None:
        """Any of the keys that were stored last; None before the first."""
        return random.choice(self._lately) if self._lately else None  # noqa: S311 - no secret

    def store(self, offered: Entry) -> Entry:
        """Compare and set. Returns what is held for the key afterwards: the newest of both."""
        held = self._entries.get(offered.key)
        winner = offered if held is None else newest(held, offered)
        if winner is held:
            self._refused.inc()
            return winner
        if held is not None:
            self._counts[held.state] -= 1
        self._put(winner)
        return winner

    def _put(self, entry: Entry) -> None:
        self._stored.inc()
        self._lately.append(entry.key)
        self._entries[entry.key] = entry
        self._entries.move_to_end(entry.key)
        self._counts[entry.state] += 1
        tenant = entry.key.tenant
        self._floors[tenant] = max(self._floors.get(tenant, 0), entry.revision)
        if len(self._entries) > self._capacity:
            self._evict()

    def _evict(self) -> None:
        _, entry = self._entries.popitem(last=False)
        self._counts[entry.state] -= 1
        tenant = entry.key.tenant
        self._evicted[tenant] = max(self._evicted.get(tenant, 0), entry.revision)
        self._evictions.inc()

    def floor(self, tenant: str) -> int:
        """The highest revision of the tenant that anything here has ever carried; a snapshot before it is behind."""
        return self._floors.get(tenant, 0)

    def may_have_known_newer(self, key: RouteKey, revision: int) -> bool:
        """Whether something newer than this tenant revision may have been held for the key, and was evicted."""
        return key not in self._entries and self._evicted.get(key.tenant, 0) > revision

    def evicted(self, tenant: str) -> int:
        """The highest revision of the tenant that anything evicted has carried; 0 when nothing was."""
        return self._evicted.get(tenant, 0)

    def tenants(self) -> Iterable[str]:
        """The tenants that anything was ever stored for."""
        return self._floors.keys()

    def _export(self) -> None:
        for state, kind in _KINDS.items():
            self._gauge.labels(kind).set(self._counts[state])
