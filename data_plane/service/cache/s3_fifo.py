"""Which route goes when the process's cache is full: S3-FIFO (Yang et al., SOSP 2023).

What comes in is on probation in a small queue, and reaches the main queue only when it is asked for more than once
meanwhile, or comes back soon after it went. A scan over a million routes therefore passes through the small queue and
leaves in place what is really used. Looking something up moves nothing: it only counts a use.
"""

from collections import deque
from collections.abc import Mapping

from data_plane.domain.slot import Slot

PROBATION_SHARE = 0.1
MAX_CHANCES = 64
"""How many routes may be spared for one that goes, so that no single store takes long."""


class EvictionOrder:
    """The order in which the routes of a cache go. It knows all of them, each once."""

    def __init__(self, capacity: int, slots: Mapping[bytes, Slot]) -> None:
        """`slots` is the cache itself; `admit` has to be told of everything that comes into it."""
        self._capacity = capacity
        self._slots = slots
        self._probation: deque[bytes] = deque()
        self._main: deque[bytes] = deque()
        self._probation_size = max(1, int(capacity * PROBATION_SHARE))
        self._ghosts = _Ghosts(capacity - self._probation_size)

    def admit(self, route: bytes) -> bytes | None:
        """Note that the route came in. Returns the one that has to go for it, if the cache is full."""
        (self._main if self._ghosts.forget(route) else self._probation).append(route)
        return self._next_to_go() if len(self._probation) + len(self._main) > self._capacity else None

    def _next_to_go(self) -> bytes:
        for _ in range(MAX_CHANCES):
            route = self._spare_or_evict()
            if route is not None:
                return route
        return (self._main or self._probation).popleft()

    def _spare_or_evict(self) -> bytes | None:
        """One step: the first of a queue goes, or gets another chance."""
        if len(self._probation) > self._probation_size or not self._main:
            route = self._probation.popleft()
            if self._slots[route].uses > 1:
                self._slots[route].uses = 0
                self._main.append(route)
                return None
            self._ghosts.remember(route)
            return route
        route = self._main.popleft()
        if self._slots[route].uses:
            self._slots[route].uses -= 1
            self._main.append(route)
            return None
        return route


class _Ghosts:
    """The routes that went from probation not long ago, by their hashes."""

    def __init__(self, capacity: int) -> None:
        self._capacity = capacity
        self._order: deque[int] = deque()
        self._present: set[int] = set()

    def remember(self, route: bytes) -> None:
        ghost = hash(route)
        self._order.append(ghost)
        self._present.add(ghost)
        if len(self._order) > self._capacity:
            self._present.discard(self._order.popleft())

    def forget(self, route: bytes) -> bool:
        """Whether it was there."""
        ghost = hash(route)
        if ghost not in self._present:
            return False
        self._present.remove(ghost)
        return True
