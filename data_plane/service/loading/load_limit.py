"""How often the routes of a tenant may be loaded from Redis and the databases."""

from data_plane.errors import TooManyLoads
from shared.runtime.clock import Clock
from shared.runtime.metrics import Metrics
from shared.runtime.token_buckets import Rate, TokenBuckets


class LoadLimit:
    """Limits the loads that the requests for one tenant's routes begin. An answer from L1, and a load that another request
    began, count nothing: the limit is not on the path of a hit.

    The tenant is the route's: a caller with a tenant can load no other's, and the loads of an admin for one tenant leave
    those for the others alone.
    """

    def __init__(self, rate: Rate | None, *, clock: Clock, metrics: Metrics) -> None:
        """A rate of None does not limit."""
        self._buckets = None if rate is None else TokenBuckets(rate)
        self._clock = clock
        self._refused = metrics.counter("tm_http_requests_shed_total").labels("tenant_reads")

    def admit(self, tenant: str) -> None:
        """Count a load. Raises TooManyLoads, and then takes no token."""
        if self._buckets is None:
            return
        now = self._clock.monotonic()
        wait = self._buckets.level(tenant, now).next_after_seconds
        if wait > 0:
            self._refused.inc()
            raise TooManyLoads(tenant, wait)
        self._buckets.take(tenant, now)
