"""The eviction order of L1: S3-FIFO (Yang et al., SOSP 2023).

A new key enters a small probation queue. It reaches the main queue only if it is looked up more than once there, or if
it comes back soon after its eviction. A scan over a million keys therefore passes through the small queue and leaves the
used ones in place. A lookup moves nothing: it only counts a use.
"""

from collections import deque
from collections.abc import Mapping

from data_plane.domain.slot import Slot

PROBATION_SHARE = 0.1
MAX_SPARED = 64
"""How many keys one eviction may spare, which bounds the time of a store."""


class EvictionOrder:
    """The queues of a cache's keys. Each key is in one queue, once."""

    def __init__(self, capacity: int, slots: Mapping[bytes, Slot]) -> None:
        """`slots` is the cache itself; every key that enters it must be passed to `admit`."""
        self._capacity = capacity
        self._slots = slots
        self._probation: deque[bytes] = deque()
        self._main: deque[bytes] = deque()
        self._probation_size = max(1, int(capacity * PROBATION_SHARE))
        self._ghosts = _Ghosts(capacity - self._probation_size)

    def admit(self, path: bytes) -> bytes | None:
        """Add a key. Returns the key to evict, if the cache is full."""
        (self._main if self._ghosts.pop(path) else self._probation).append(path)
        return self._evict() if len(self._probation) + len(self._main) > self._capacity else None

    def _evict(self) -> bytes:
        for _ in range(MAX_SPARED):
            path = self._spare_or_evict()
            if path is not None:
                return path
        return (self._main or self._probation).popleft()

    def _spare_or_evict(self) -> bytes | None:
        """One step: evict the first key of a queue, or keep it for another round."""
        if len(self._probation) > self._probation_size or not self._main:
            path = self._probation.popleft()
            if self._slots[path].uses > 1:
                self._slots[path].uses = 0
                self._main.append(path)
                return None
            self._ghosts.add(path)
            return path
        path = self._main.popleft()
        if self._slots[path].uses:
            self._slots[path].uses -= 1
            self._main.append(path)
            return None
        return path


class _Ghosts:
    """The hashes of the keys that were last evicted from probation."""

    def __init__(self, capacity: int) -> None:
        self._capacity = capacity
        self._order: deque[int] = deque()
        self._present: set[int] = set()

    def add(self, path: bytes) -> None:
        ghost = hash(path)
        self._order.append(ghost)
        self._present.add(ghost)
        if len(self._order) > self._capacity:
            self._present.discard(self._order.popleft())

    def pop(self, path: bytes) -> bool:
        """Remove the key. Returns whether it was present."""
        ghost = hash(path)
        if ghost not in self._present:
            return False
        self._present.remove(ghost)
        return True
