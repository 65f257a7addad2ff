"""One guard per dependency: a timeout on every call, a circuit breaker, and a bulkhead.

The breaker opens when half of the last 20 calls failed and lets one call through after 5 seconds.
"""

import asyncio
from collections import deque
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from enum import IntEnum

from shared.runtime.clock import Clock
from shared.runtime.health import DependencyHealth
from shared.runtime.metrics import Metrics
from shared.runtime.redaction import redact

WINDOW = 20
FAILURE_RATIO = 0.5
OPEN_SECONDS = 5.0


class DependencyUnavailable(Exception):
    """A dependency did not answer, or was not asked because it has not been answering. Try again later."""

    def __init__(self, dependency: str, why: str) -> None:
        self.dependency = dependency
        self.why = redact(why)
        super().__init__(f"{dependency} is unavailable: {self.why}")


class BreakerState(IntEnum):
    """As exported in `tm_breaker_state`."""

    CLOSED = 0
    HALF_OPEN = 1
    OPEN = 2


class Breaker:
    """A circuit breaker over the outcomes of the last calls."""

    def __init__(self, clock: Clock, *, minimum_calls: int = 5) -> None:
        self._clock = clock
        self._minimum = minimum_calls
        self._outcomes: deque[bool] = deque(maxlen=WINDOW)
        self._opened_at = 0.0
        self.state = BreakerState.CLOSED

    def allows(self) -> bool:
        """Whether a call may be made now. While half open, only the first caller may."""
        if self.state is BreakerState.OPEN and self._clock.monotonic() - self._opened_at >= OPEN_SECONDS:
            self.state = BreakerState.HALF_OPEN
            self._opened_at = self._clock.monotonic()
            return True
        if self.state is BreakerState.HALF_OPEN:
            return self._retry_trial()
        return self.state is BreakerState.CLOSED

    def _retry_trial(self) -> bool:
        # A trial call that never reported (its task was cancelled) must not keep the breaker half open for ever.
        if self._clock.monotonic() - self._opened_at < OPEN_SECONDS:
            return False
        self._opened_at = self._clock.monotonic()
        return True

    def record(self, *, ok: bool) -> None:
        """Note the outcome of a call that was allowed."""
        if self.state is BreakerState.HALF_OPEN:
            self._close() if ok else self._open()
            return
        self._outcomes.append(ok)
        failures = self._outcomes.count(False)
        if failures >= max(self._minimum, FAILURE_RATIO * len(self._outcomes)):
            self._open()

    def _close(self) -> None:
        self.state = BreakerState.CLOSED
        self._outcomes.clear()

    def _open(self) -> None:
        self.state = BreakerState.OPEN
        self._opened_at = self._clock.monotonic()
        self._outcomes.clear()


class Guard:
    """Stands before every call to one dependency."""

    def __init__(
        self,
        name: str,
        *,
        timeout: float,
        failures: tuple[type[Exception], ...],
        clock: Clock,
        health: DependencyHealth,
        metrics: Metrics,
        at_once: int = 64,
    ) -> None:
        """`timeout` in seconds; `failures` are the driver's errors that mean "unavailable"; `at_once` the bulkhead."""
        self.name = name
        self._timeout = timeout
        self._failures: tuple[type[Exception], ...] = (*failures, OSError)
        self._clock = clock
        self._health = health
        self._breaker = Breaker(clock)
        self._bulkhead = asyncio.Semaphore(at_once)
        requests = metrics.counter("tm_dependency_requests_total")
        self._counted = {outcome: requests.labels(name, outcome) for outcome in ("ok", "error", "timeout", "rejected")}
        self._duration = metrics.histogram("tm_dependency_request_duration_seconds").labels(name)
        up, state = metrics.gauge("tm_dependency_up").labels(name), metrics.gauge("tm_breaker_state").labels(name)
        metrics.before_scrape(lambda: up.set(health.up is not False))
        metrics.before_scrape(lambda: state.set(self._breaker.state))

    @asynccontextmanager
    async def call(self, *, within: float | None = None) -> AsyncIterator[None]:
        """Run the body as one call, within so many seconds where that differs from the guard's own.

        Raises DependencyUnavailable when it fails, times out or may not be made.

        Any other error of the body is an answer: it passes through, and the dependency counts as up.
        """
        if not self._breaker.allows():
            self._counted["rejected"].inc()
            raise DependencyUnavailable(self.name, f"not asked: {self._health.detail}")
        started = self._clock.monotonic()
        limit = self._timeout if within is None else within
        is_asked = False
        try:
            async with asyncio.timeout(limit), self._bulkhead:
                is_asked = True
                yield
        except TimeoutError as error:
            if not is_asked:
                raise self._crowded(limit) from error
            raise self._failed("timeout", f"no answer within {limit:g} s") from error
        except self._failures as error:
            raise self._failed("error", f"{type(error).__name__}: {error}") from error
        except Exception:
            self._answered(started)
            raise
        self._answered(started)

    def _crowded(self, limit: float) -> DependencyUnavailable:
        # That it has much to do says nothing against it: were it cut off for that, all its load would fall on others.
        self._counted["rejected"].inc()
        return DependencyUnavailable(self.name, f"not asked: too many calls were under way for {limit:g} s")

    def _answered(self, started: float) -> None:
        self._breaker.record(ok=True)
        self._health.mark_up()
        self._counted["ok"].inc()
        self._duration.observe(self._clock.monotonic() - started)

    def _failed(self, outcome: str, why: str) -> DependencyUnavailable:
        self._breaker.record(ok=False)
        self._health.mark_down(why)
        self._counted[outcome].inc()
        return DependencyUnavailable(self.name, why)
