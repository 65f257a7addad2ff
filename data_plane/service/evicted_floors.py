"""What must stay known of entries that had to go."""

from collections import OrderedDict

from data_plane.domain.entry import Entry
from shared.schemas.identity import RouteKey


class EvictedFloors:
    """The revisions below which a key may not be answered again, because the newer value was answered before.

    Bounded as well: the oldest of them become one floor for all keys of their tenant, which is stricter than needed.
    """

    def __init__(self, capacity: int) -> None:
        self._capacity = capacity
        self._by_key: OrderedDict[RouteKey, int] = OrderedDict()
        self._by_tenant: dict[str, int] = {}

    def remember(self, entry: Entry) -> None:
        """The entry was held, and is no more."""
        self._by_key[entry.key] = max(entry.revision, self._by_key.get(entry.key, 0))
        self._by_key.move_to_end(entry.key)
        if len(self._by_key) > self._capacity:
            key, revision = self._by_key.popitem(last=False)
            self._by_tenant[key.tenant] = max(revision, self._by_tenant.get(key.tenant, 0))

    def forget(self, key: RouteKey) -> None:
        """The key is held again, at least as new."""
        self._by_key.pop(key, None)

    def of(self, key: RouteKey) -> int:
        """The floor of a key that is not held; 0 where there is none."""
        return max(self._by_key.get(key, 0), self._by_tenant.get(key.tenant, 0))
