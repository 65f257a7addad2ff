"""The revisions of entries that were evicted from L1."""

from collections import OrderedDict


class EvictedRevisions:
    """For each evicted key, the lowest tenant revision that an entry must have to be stored again: a newer value than
    that of any older entry was already served.

    Keys are `tenant/service/env/version`. At most `capacity` keys; beyond that, the oldest ones become one revision for
    all keys of their tenant, which is stricter than needed. Revision 0, of a tenant that does not exist, demands nothing
    and is not recorded: callers can name any number of such tenants.
    """

    def __init__(self, capacity: int) -> None:
        self._capacity = capacity
        self._by_path: OrderedDict[bytes, int] = OrderedDict()
        self._by_tenant: dict[bytes, int] = {}

    def record(self, path: bytes, revision: int) -> None:
        """The entry with this revision was evicted."""
        if not revision:
            return
        self._by_path[path] = max(revision, self._by_path.get(path, 0))
        self._by_path.move_to_end(path)
        if len(self._by_path) > self._capacity:
            oldest, min_revision = self._by_path.popitem(last=False)
            tenant = _tenant(oldest)
            self._by_tenant[tenant] = max(min_revision, self._by_tenant.get(tenant, 0))

    def admit(self, path: bytes, tenant_revision: int) -> bool:
        """Whether an entry with this tenant revision may be stored again. If so, the key's own record is dropped."""
        if tenant_revision < self.min_revision(path):
            return False
        self._by_path.pop(path, None)
        return True

    def min_revision(self, path: bytes) -> int:
        """The lowest tenant revision to admit for a key that L1 does not hold; 0: any."""
        min_revision = self._by_path.get(path, 0)
        return max(min_revision, self._by_tenant.get(_tenant(path), 0)) if self._by_tenant else min_revision


def _tenant(path: bytes) -> bytes:
    return path.partition(b"/")[0]
