"""L1: what this process knows."""

from collections.abc import Iterable

from data_plane.domain.entry import Entry, State, newest
from data_plane.domain.slot import MAX_USES, Slot, route_of
from data_plane.service.eviction import EvictionOrder
from shared.runtime.metrics import Metrics
from shared.schemas.identity import RouteKey

_KINDS = {State.ACTIVE: "positive", State.ABSENT: "negative", State.INACTIVE: "tombstone"}


class LocalCache:
    """A bounded map of the newest entry of each key. An entry never gives way to an older one, expired or not.

    When it is full, an entry that is hardly used goes. Its revision stays behind in `evicted`: a floor for its tenant,
    below which nothing can be told for certain any more.
    """

    def __init__(self, capacity: int, metrics: Metrics) -> None:
        self._slots: dict[bytes, Slot] = {}
        self._order = EvictionOrder(capacity, self._slots)
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
        slot = self.peek(route_of(key))
        return None if slot is None else slot.entry(key)

    def peek(self, route: bytes) -> Slot | None:
        """What is held under `tenant/service/env/version`, expired or not, ready to be sent."""
        slot = self._slots.get(route)
        if slot is not None and slot.uses < MAX_USES:
            slot.uses += 1
        return slot

    def store(self, offered: Entry) -> Entry:
        """Compare and set. Returns what is held for the key afterwards: the newest of both."""
        route = route_of(offered.key)
        slot = self._slots.get(route)
        if slot is None:
            self._put(route, offered)
            self._make_room(route)
            return offered
        held = slot.entry(offered.key)
        winner = newest(held, offered)
        if winner is held:
            self._refused.inc()
            return winner
        self._counts[held.state] -= 1
        self._put(route, winner, uses=slot.uses)
        return winner

    def _put(self, route: bytes, entry: Entry, uses: int = 0) -> None:
        self._stored.inc()
        self._slots[route] = slot = Slot.of(entry)
        slot.uses = uses
        self._counts[entry.state] += 1
        tenant = entry.key.tenant
        self._floors[tenant] = max(self._floors.get(tenant, 0), entry.revision)

    def _make_room(self, route: bytes) -> None:
        gone = self._order.admit(route)
        if gone is None:
            return
        slot = self._slots.pop(gone)
        self._counts[slot.state] -= 1
        tenant = gone.split(b"/", 1)[0].decode()
        self._evicted[tenant] = max(self._evicted.get(tenant, 0), slot.revision)
        self._evictions.inc()

    def floor(self, tenant: str) -> int:
        """The highest revision of the tenant that anything here has ever carried; a snapshot before it is behind."""
        return self._floors.get(tenant, 0)

    def may_have_known_newer(self, key: RouteKey, revision: int) -> bool:
        """Whether something newer than this tenant revision may have been held for the key, and was evicted."""
        return route_of(key) not in self._slots and self._evicted.get(key.tenant, 0) > revision

    def tenants(self) -> Iterable[str]:
        """The tenants that anything was ever stored for."""
        return self._floors.keys()

    def _export(self) -> None:
        for state, kind in _KINDS.items():
            self._gauge.labels(kind).set(self._counts[state])
