"""What must stay known of entries that had to go."""

from collections import OrderedDict


class EvictedRevisions:
    """The revisions below which a key may not be answered again, because the newer value was answered before.

    Keys are `tenant/service/env/version`. Bounded as well: the oldest of them become one floor for all keys of their
    tenant, which is stricter than needed.
    """

    def __init__(self, capacity: int) -> None:
        self._capacity = capacity
        self._by_route: OrderedDict[bytes, int] = OrderedDict()
        self._by_tenant: dict[bytes, int] = {}

    def remember(self, route: bytes, revision: int) -> None:
        """The route was held at this revision, and is no more."""
        self._by_route[route] = max(revision, self._by_route.get(route, 0))
        self._by_route.move_to_end(route)
        if len(self._by_route) > self._capacity:
            oldest, min_revision = self._by_route.popitem(last=False)
            tenant = _tenant(oldest)
            self._by_tenant[tenant] = max(min_revision, self._by_tenant.get(tenant, 0))

    def admit(self, route: bytes, tenant_revision: int) -> bool:
        """Whether what reflects that revision of the tenant may be held again. If so, the floor is forgotten."""
        if tenant_revision < self.of(route):
            return False
        self._by_route.pop(route, None)
        return True

    def of(self, route: bytes) -> int:
        """The floor of a route that is not held; 0 where there is none."""
        min_revision = self._by_route.get(route, 0)
        return max(min_revision, self._by_tenant.get(_tenant(route), 0)) if self._by_tenant else min_revision


def _tenant(route: bytes) -> bytes:
    return route.partition(b"/")[0]
