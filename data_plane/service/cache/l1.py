"""L1: the cache in the process."""

import random
import sys
from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from itertools import islice

from data_plane.domain.entry import Entry, KnownEntry, State, newest
from data_plane.domain.slot import GONE, MAX_USES, Slot, key_at, path_of
from data_plane.service.cache.evicted_revisions import EvictedRevisions
from data_plane.service.cache.s3_fifo import EvictionOrder
from shared.runtime.clock import LocalTime
from shared.runtime.metrics import Metrics
from shared.runtime.metrics_buffer import BufferedCounter
from shared.schemas.identity import RouteKey

RECENT_KEYS = 1024
"""The number of recently stored keys that a sample is drawn from. Older entries have expired."""
_SIZED_KEYS = 64
_BYTES_OF_SLOT = 285
"""Bytes of an entry beside its path and value: `python -m bench.l1_size 1000000` shows 451 in all."""
EXPIRING_ENTRIES = 50_000
"""The number of active entries whose expiry is kept in order; of more, the oldest are not refreshed ahead."""
_KINDS = {State.ACTIVE: "positive", State.ABSENT: "never_created", State.INACTIVE: "tombstone"}


class L1Cache:
    """A bounded map from key to its newest entry. An entry, expired or not, is never replaced by an older one.

    Slots are stored under `tenant/service/env/version` (`path`). When the cache is full, a rarely used entry is evicted
    and only its revision is kept.
    """

    def __init__(self, capacity: int, metrics: Metrics) -> None:
        self._slots: dict[bytes, Slot] = {}
        self._order = EvictionOrder(capacity, self._slots)
        self._recent_keys: deque[RouteKey] = deque(maxlen=RECENT_KEYS)
        self._expiring: deque[tuple[LocalTime, bytes]] = deque(maxlen=EXPIRING_ENTRIES)
        self._evicted = EvictedRevisions(capacity)
        self._newest_revisions: dict[str, int] = {}
        self._shared_revisions: dict[str, int] = {}
        self._counts = dict.fromkeys(State, 0)
        writes = metrics.counter("tm_cache_writes_total")
        self._stored = BufferedCounter(metrics, writes.labels("l1", "stored").inc)
        self._refused = writes.labels("l1", "refused_older")
        self._refused_behind = writes.labels("l1", "refused_behind")
        self._evictions = BufferedCounter(metrics, metrics.counter("tm_cache_evictions_total").labels("capacity").inc)
        self._gauge, self._bytes = metrics.gauge("tm_cache_entries"), metrics.gauge("tm_cache_bytes")
        metrics.before_scrape(self._export)

    def slot(self, path: bytes) -> Slot | None:
        """The slot of the path, expired or not. Counts as a use."""
        slot = self._slots.get(path)
        if slot is not None and slot.uses < MAX_USES:
            slot.uses += 1
        return slot

    def get(self, key: RouteKey, path: bytes) -> KnownEntry | None:
        """The entry of the key, expired or not, with its min revision. `path`: of the key. Counts as a use."""
        slot = self.slot(path)
        return None if slot is None else KnownEntry(slot.entry(key), slot.revision)

    def peek(self, key: RouteKey) -> Entry | None:
        """The entry of the key, expired or not. Does not count as a use."""
        slot = self._slots.get(path_of(key))
        return None if slot is None else slot.entry(key)

    def newer_than(self, entry: Entry, path: bytes) -> tuple[Entry | None, int]:
        """The entry in L1 under the same key unless it equals this one, and the key's min revision. Counts as a use."""
        slot = self.slot(path)
        if slot is None:
            return None, self._evicted.min_revision(path)
        return None if slot.equals_entry(entry) else slot.entry(entry.key), slot.revision

    def in_batches(self, size: int) -> Iterator[Sequence[Entry]]:
        """The entries present when the first batch is read, in no order; those that are evicted meanwhile are left out."""
        paths = list(self._slots)
        for start in range(0, len(paths), size):
            some = ((path, self._slots.get(path)) for path in paths[start : start + size])
            yield [slot.entry(key_at(path)) for path, slot in some if slot is not None]

    def sample_recent_key(self) -> RouteKey | None:
        """A random one of the keys that were stored last; None before the first."""
        return random.choice(self._recent_keys) if self._recent_keys else None  # noqa: S311 - not cryptography

    def expiring(self, before: LocalTime, at_most: int) -> list[RouteKey]:
        """The keys of active entries that expire before this local time and were used; each is returned once, for one use.

        So an entry that is loaded again for this reason alone is given up after MAX_USES times.
        """
        found: list[RouteKey] = []
        while self._expiring and self._expiring[0][0] < before and len(found) < at_most:
            expires_at, path = self._expiring.popleft()
            slot = self._slots.get(path)
            # Another expiry: it was stored again, and is in the queue again.
            if slot is not None and slot.expires_at == expires_at and slot.uses:
                slot.uses -= 1
                found.append(key_at(path))
        return found

    def store(self, offered: Entry) -> Entry | None:
        """Compare and set. Returns the entry that is in L1 afterwards: the merge of both.

        None, and nothing is stored, if a newer entry may have been evicted.
        """
        path = path_of(offered.key)
        slot = self._slots.get(path)
        if slot is None:
            return self._store_unless_behind(path, offered)
        stored = slot.entry(offered.key)
        winner = newest(stored, offered)
        if winner is stored:
            self._refused.inc()
            return winner
        self._counts[stored.state] -= 1
        self._put(path, winner, uses=slot.uses)
        slot.uses = GONE
        return winner

    def _store_unless_behind(self, path: bytes, offered: Entry) -> Entry | None:
        if not self._evicted.admit(path, offered.tenant_revision):
            self._refused_behind.inc()
            return None
        self._put(path, offered)
        self._make_room(path)
        return offered

    def _put(self, path: bytes, entry: Entry, uses: int = 0) -> None:
        self._stored.count += 1
        self._recent_keys.append(entry.key)
        tenant = entry.key.tenant
        self._slots[path] = slot = Slot.of(entry, tenant_revision=self._shared_object(tenant, entry.tenant_revision))
        slot.uses = uses
        self._counts[entry.state] += 1
        if slot.value:
            self._expiring.append((slot.expires_at, path))
        if entry.revision > self._newest_revisions.get(tenant, 0):
            self._newest_revisions[tenant] = entry.revision

    def _shared_object(self, tenant: str, tenant_revision: int) -> int:
        # Most entries of a tenant have the same tenant revision: one int object for all of them saves memory. A tenant that
        # does not exist has revision 0, and gets no item: callers can name any number of such tenants.
        if not tenant_revision:
            return 0
        if self._shared_revisions.get(tenant) != tenant_revision:
            self._shared_revisions[tenant] = tenant_revision
        return self._shared_revisions[tenant]

    def _make_room(self, path: bytes) -> None:
        evicted = self._order.admit(path)
        if evicted is None:
            return
        slot = self._slots.pop(evicted)
        slot.uses = GONE
        self._counts[slot.state] -= 1
        self._evicted.record(evicted, slot.revision)
        self._evictions.count += 1

    def newest_revision(self, tenant: str) -> int:
        """The highest revision of any entry ever stored for the tenant; a database snapshot before it is behind."""
        return self._newest_revisions.get(tenant, 0)

    def min_revision(self, key: RouteKey) -> int:
        """The lowest tenant revision with which an entry for the key lacks nothing that L1 holds or has evicted."""
        path = path_of(key)
        slot = self._slots.get(path)
        return self._evicted.min_revision(path) if slot is None else slot.revision

    def known(self, entry: Entry) -> KnownEntry:
        """The entry with the min revision of its key."""
        return KnownEntry(entry, self.min_revision(entry.key))

    def tenants(self) -> Iterable[str]:
        """The tenants of all entries ever stored."""
        return self._newest_revisions.keys()

    def _export(self) -> None:
        for state, kind in _KINDS.items():
            self._gauge.labels(kind).set(self._counts[state])
        self._bytes.set(len(self._slots) * self._bytes_of_an_entry())

    def _bytes_of_an_entry(self) -> float:
        """The mean over the keys that were stored last."""
        paths = [path_of(key) for key in islice(reversed(self._recent_keys), _SIZED_KEYS)]
        sizes = [sys.getsizeof(path) + sys.getsizeof(slot.value) for path in paths if (slot := self._slots.get(path))]
        return _BYTES_OF_SLOT + (sum(sizes) / len(sizes) if sizes else 0)
