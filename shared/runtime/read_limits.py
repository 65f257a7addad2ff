"""Limits on the reads of each tenant, so that none of them crowds out the others."""

from shared.runtime.clock import Clock
from shared.runtime.metrics import Metrics
from shared.runtime.settings import ServiceSettings
from shared.runtime.token_buckets import Rate, TokenBuckets


class TooManyReads(Exception):
    """A tenant exceeds its read limit. `retry_after`: seconds until its next read is admitted."""

    def __init__(self, why: str, retry_after: float) -> None:
        super().__init__(f"{why}. Wait {retry_after:.3g} s, or read less often and in fewer pages.")
        self.retry_after = retry_after


class ReadLimits:
    """Admits reads by number, and by the bytes of the responses. Every process has its own limits, in memory.

    A response is counted when it is sent, so that a large one makes a debt: its caller waits for it afterwards.
    """

    def __init__(self, requests: Rate | None, response_bytes: Rate | None, *, clock: Clock, metrics: Metrics) -> None:
        """A rate of None does not limit."""
        self._requests = None if requests is None else TokenBuckets(requests)
        self._bytes = None if response_bytes is None else TokenBuckets(response_bytes)
        self._clock = clock
        self._refused = metrics.counter("tm_http_requests_shed_total").labels("tenant_reads")

    def admit(self, caller: str) -> None:
        """Count a read by this caller. Raises TooManyReads, and then takes no token."""
        now = self._clock.monotonic()
        for buckets, what in ((self._requests, "sends more reads"), (self._bytes, "receives more bytes")):
            wait = buckets.level(caller, now).next_after_seconds if buckets is not None else 0.0
            if wait > 0:
                self._refused.inc()
                raise TooManyReads(f"Caller {caller} {what} than it may", wait)
        if self._requests is not None:
            self._requests.take(caller, now)

    def charge(self, caller: str, response_bytes: int) -> None:
        """Count bytes of a response to this caller."""
        if self._bytes is not None and response_bytes:
            self._bytes.take(caller, self._clock.monotonic(), response_bytes)


def read_limits(settings: ServiceSettings, clock: Clock, metrics: Metrics) -> ReadLimits:
    """The limits from the settings."""
    return ReadLimits(
        rate_of(settings.tenant_reads_per_second, settings.tenant_read_burst),
        rate_of(settings.tenant_read_bytes_per_second, settings.tenant_read_burst_bytes),
        clock=clock,
        metrics=metrics,
    )


def rate_of(per_second: float, burst: int) -> Rate | None:
    """The rate of two settings; None, which does not limit, for 0 per second."""
    return Rate(per_second, burst) if per_second > 0 else None
