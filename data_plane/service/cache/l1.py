"""L1: what this process knows."""

import random
from collections import deque
from collections.abc import Iterable, Iterator, Sequence

from data_plane.domain.entry import Entry, State, newest
from data_plane.domain.slot import GONE, MAX_USES, Slot, key_of, route_of
from data_plane.service.cache.evicted_revisions import EvictedRevisions
from data_plane.service.cache.s3_fifo import EvictionOrder
from shared.runtime.metrics import Metrics
from shared.runtime.metrics_buffer import BufferedCounter
from shared.schemas.identity import RouteKey

SAMPLED_FROM = 1024
"""How many of the keys stored last can be drawn as a sample. What is older than one life is not answered any more."""
_KINDS = {State.ACTIVE: "positive", State.ABSENT: "never_created", State.INACTIVE: "tombstone"}


class L1Cache:
    """A bounded map of the newest entry of each key. An entry never gives way to an older one, expired or not.

    When it is full, an entry that is hardly used goes; its revision is remembered as a floor.
    """

    def __init__(self, capacity: int, metrics: Metrics) -> None:
        self._slots: dict[bytes, Slot] = {}
        self._order = EvictionOrder(capacity, self._slots)
        self._lately: deque[RouteKey] = deque(maxlen=SAMPLED_FROM)
        self._floors = EvictedRevisions(capacity)
        self._heard: dict[str, int] = {}
        self._reflected: dict[str, int] = {}
        self._counts = dict.fromkeys(State, 0)
        writes = metrics.counter("tm_cache_writes_total")
        self._stored = BufferedCounter(metrics, writes.labels("l1", "stored").inc)
        self._refused = writes.labels("l1", "refused_older")
        self._refused_behind = writes.labels("l1", "refused_behind")
        self._evictions = BufferedCounter(metrics, metrics.counter("tm_cache_evictions_total").labels("capacity").inc)
        self._gauge = metrics.gauge("tm_cache_entries")
        metrics.before_scrape(self._export)

    def get(self, key: RouteKey) -> Entry | None:
        """The entry of the key, expired ones included."""
        slot = self.peek(route_of(key))
        return None if slot is None else slot.entry(key)

    def peek(self, route: bytes) -> Slot | None:
        """What is held under `tenant/service/env/version`, expired or not, ready to be sent."""
        slot = self._slots.get(route)
        if slot is not None and slot.uses < MAX_USES:
            slot.uses += 1
        return slot

    def newer_than(self, entry: Entry, route: bytes) -> tuple[Entry | None, int]:
        """What is held under the entry's route, where that is not the entry itself; and its floor. Counts as a use."""
        slot = self.peek(route)
        if slot is None:
            return None, self._floors.of(route)
        return None if slot.equals_entry(entry) else slot.entry(entry.key), slot.revision

    def held(self, key: RouteKey) -> Entry | None:
        """As `get`, but does not count as a use."""
        slot = self._slots.get(route_of(key))
        return None if slot is None else slot.entry(key)

    def in_batches(self, size: int) -> Iterator[Sequence[Entry]]:
        """What is held when the first batch is asked for, in no order; what goes meanwhile is left out."""
        routes = list(self._slots)
        for start in range(0, len(routes), size):
            some = ((route, self._slots.get(route)) for route in routes[start : start + size])
            yield [slot.entry(key_of(route)) for route, slot in some if slot is not None]

    def sample_recent_key(self) -> RouteKey | None:
        """Any of the keys that were stored last; None before the first."""
        return random.choice(self._lately) if self._lately else None  # noqa: S311 - no secret

    def store(self, offered: Entry) -> Entry | None:
        """Compare and set. Returns what is held for the key afterwards: the newest of both.

        None, and nothing is stored, when something newer may have been held before and was evicted.
        """
        route = route_of(offered.key)
        slot = self._slots.get(route)
        if slot is None:
            return self._store_unless_behind(route, offered)
        held = slot.entry(offered.key)
        winner = newest(held, offered)
        if winner is held:
            self._refused.inc()
            return winner
        self._counts[held.state] -= 1
        self._put(route, winner, uses=slot.uses)
        slot.uses = GONE
        return winner

    def _store_unless_behind(self, route: bytes, offered: Entry) -> Entry | None:
        if not self._floors.admit(route, offered.tenant_revision):
            self._refused_behind.inc()
            return None
        self._put(route, offered)
        self._make_room(route)
        return offered

    def _put(self, route: bytes, entry: Entry, uses: int = 0) -> None:
        self._stored.count += 1
        self._lately.append(entry.key)
        tenant = entry.key.tenant
        self._slots[route] = slot = Slot.of(entry, tenant_revision=self._shared_number(tenant, entry.tenant_revision))
        slot.uses = uses
        self._counts[entry.state] += 1
        if entry.revision > self._heard.get(tenant, 0):
            self._heard[tenant] = entry.revision

    def _shared_number(self, tenant: str, tenant_revision: int) -> int:
        # Most routes of a tenant reflect the same revision: one object is enough for all of them.
        if self._reflected.get(tenant) != tenant_revision:
            self._reflected[tenant] = tenant_revision
        return self._reflected[tenant]

    def _make_room(self, route: bytes) -> None:
        gone = self._order.admit(route)
        if gone is None:
            return
        slot = self._slots.pop(gone)
        slot.uses = GONE
        self._counts[slot.state] -= 1
        self._floors.remember(gone, slot.revision)
        self._evictions.count += 1

    def newest_revision(self, tenant: str) -> int:
        """The highest revision of the tenant that anything here has ever carried; a snapshot before it is behind."""
        return self._heard.get(tenant, 0)

    def min_revision(self, key: RouteKey) -> int:
        """The tenant's revision that knowledge of the key must reflect, not to lack anything held or evicted here."""
        route = route_of(key)
        slot = self._slots.get(route)
        return self._floors.of(route) if slot is None else slot.revision

    def tenants(self) -> Iterable[str]:
        """The tenants that anything was ever stored for."""
        return self._heard.keys()

    def _export(self) -> None:
        for state, kind in _KINDS.items():
            self._gauge.labels(kind).set(self._counts[state])
