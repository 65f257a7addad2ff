"""Limits on the writes of each tenant and each credential, so that none of them crowds out the others."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from control_plane.errors import TooManyWrites
from control_plane.settings import ControlPlaneSettings
from shared.runtime.clock import Clock
from shared.runtime.metrics import Metrics
from shared.runtime.token_buckets import Level, Rate, TokenBuckets

TENANT, CREDENTIAL = "tenant", "credential"
_IN_FLIGHT_RETRY_SECONDS = 1.0


@dataclass(frozen=True, slots=True)
class RateLimitStatus:
    """A policy with its rate, and the level of the caller's bucket under it."""

    policy: str
    rate: Rate
    level: Level


class WriteLimits:
    """Admits writes to a tenant by a credential. Every process has its own limits, in memory."""

    def __init__(self, rates: Mapping[str, Rate], *, max_concurrent: int, clock: Clock, metrics: Metrics) -> None:
        """`rates` by policy (TENANT, CREDENTIAL); a missing policy does not limit. `max_concurrent` is per tenant."""
        self._buckets = {policy: TokenBuckets(rate) for policy, rate in rates.items()}
        self._max_concurrent = max_concurrent
        self._in_flight: Counter[str] = Counter()
        self._clock = clock
        self._refused = metrics.counter("tm_http_requests_shed_total").labels("rate_limited")

    def enter(self, tenant: str | None, credential: str) -> None:
        """Admit a write; the caller must call `leave` when it is done. `tenant` is None for a write to no tenant.

        Raises TooManyWrites, and then takes no token.
        """
        now = self._clock.monotonic()
        callers = _callers(tenant, credential)
        for policy, name in callers.items():
            wait = self._buckets[policy].level(name, now).next_after_seconds if policy in self._buckets else 0.0
            if wait > 0:
                self._refuse(f"{policy} {name} writes more often than it may", wait)
        if tenant is not None and self._in_flight[tenant] >= self._max_concurrent:
            self._refuse(f"tenant {tenant} has {self._max_concurrent} writes in flight", _IN_FLIGHT_RETRY_SECONDS)
        for policy, name in callers.items():
            if policy in self._buckets:
                self._buckets[policy].take(name, now)
        if tenant is not None:
            self._in_flight[tenant] += 1

    def leave(self, tenant: str | None) -> None:
        """The write is done, with or without success."""
        if tenant is None:
            return
        self._in_flight[tenant] -= 1
        if not self._in_flight[tenant]:
            del self._in_flight[tenant]

    def statuses(self, tenant: str | None, credential: str) -> Sequence[RateLimitStatus]:
        """The caller's status under each policy."""
        now = self._clock.monotonic()
        return [
            RateLimitStatus(policy, self._buckets[policy].rate, self._buckets[policy].level(name, now))
            for policy, name in _callers(tenant, credential).items()
            if policy in self._buckets
        ]

    def _refuse(self, why: str, wait: float) -> None:
        self._refused.inc()
        raise TooManyWrites(why, wait)


def _callers(tenant: str | None, credential: str) -> dict[str, str]:
    return {CREDENTIAL: credential} if tenant is None else {TENANT: tenant, CREDENTIAL: credential}


def write_limits(settings: ControlPlaneSettings, clock: Clock, metrics: Metrics) -> WriteLimits:
    """The limits from the settings; a rate of 0 does not limit."""
    rates = {
        TENANT: (settings.tenant_writes_per_second, settings.tenant_write_burst),
        CREDENTIAL: (settings.credential_writes_per_second, settings.credential_write_burst),
    }
    limiting = {policy: Rate(*rate) for policy, rate in rates.items() if rate[0] > 0}
    return WriteLimits(limiting, max_concurrent=settings.tenant_max_concurrent_writes, clock=clock, metrics=metrics)
