"""How many routes that were never created a tenant may add to the caches."""

from data_plane.domain.entry import Entry, State
from shared.runtime.clock import Clock
from shared.runtime.metrics import Metrics
from shared.runtime.token_buckets import Rate, TokenBuckets

_NO_TENANT = ""
"""Tenants that do not exist share one limit: callers can name any number of them."""


class AbsentKeyLimit:
    """Limits the entries of routes never created, because their number depends only on the names in requests.

    A tenant may add `per_tenant` of them at once, and as many again within each negative TTL. Beyond that, a request is
    still answered, from the database, but nothing is stored.
    """

    def __init__(self, per_tenant: int, *, negative_ttl_seconds: float, clock: Clock, metrics: Metrics) -> None:
        self._buckets = TokenBuckets(Rate(per_tenant / negative_ttl_seconds, per_tenant))
        self._clock = clock
        self._refused = metrics.counter("tm_cache_writes_total").labels("l1", "refused_limit")

    def admit(self, entry: Entry) -> bool:
        """Whether a new entry may be stored. If so, it counts."""
        if entry.state is not State.ABSENT:
            return True
        tenant = entry.key.tenant if entry.tenant_revision else _NO_TENANT
        now = self._clock.monotonic()
        if self._buckets.level(tenant, now).remaining < 1:
            self._refused.inc()
            return False
        self._buckets.take(tenant, now)
        return True
