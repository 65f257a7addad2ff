"""Guards around the calls to dependencies: a bulkhead, a timeout for every call, and a circuit breaker.

A call waits for its slot in the bulkhead before its timeout begins: the queue of this process is not a failure of the
dependency, and must not open the breaker. The breaker opens when half of the last 20 calls failed, and at once when the
dependency is silent: three calls in a row got no response in time, and none for half a second. It lets one trial call through
after 4 seconds.
"""

import asyncio
from collections import deque
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from enum import IntEnum

import structlog

from shared.runtime.clock import Clock
from shared.runtime.deadlines import time_limit
from shared.runtime.health import DependencyHealth
from shared.runtime.metrics import Metrics
from shared.runtime.redaction import redact

_log = structlog.get_logger(__name__)

WINDOW = 20
FAILURE_RATIO = 0.5
OPEN_SECONDS = 4.0
"""So that a server that is back is used again within 5 seconds, the trial call included."""
SILENT_CALLS, SILENT_SECONDS = 3, 0.5
"""A dependency that is frozen answers nothing, and the successes before keep the ratio low for long. The time is a condition
too, because one pause of this process lets all calls in flight time out together."""


class DependencyUnavailable(Exception):
    """A call to a dependency failed, or was not made because earlier calls failed. May succeed later."""

    def __init__(self, dependency: str, why: str) -> None:
        self.dependency = dependency
        self.why = redact(why)
        super().__init__(f"{dependency} is unavailable: {self.why}")


class BreakerState(IntEnum):
    """The values of `tm_breaker_state`."""

    CLOSED = 0
    HALF_OPEN = 1
    OPEN = 2


class Breaker:
    """A circuit breaker over the outcomes of the last calls.

    Our own, because it opens at a ratio over a window; purgatory and similar libraries count consecutive failures.
    """

    def __init__(self, clock: Clock, *, minimum_calls: int = 5) -> None:
        self._clock = clock
        self._minimum = minimum_calls
        self._outcomes: deque[bool] = deque(maxlen=WINDOW)
        self._opened_at = 0.0
        self._silent_calls = 0
        self._responded_at = clock.monotonic()
        self.state = BreakerState.CLOSED

    @property
    def refuses(self) -> bool:
        """Whether no call may be made now. Unlike `allows`, this begins no trial call."""
        # A trial call whose outcome was never recorded (its task was cancelled) must not keep the breaker half open.
        return self.state is not BreakerState.CLOSED and self._clock.monotonic() - self._opened_at < OPEN_SECONDS

    def allows(self) -> bool:
        """Whether a call may be made now. While the breaker is half open, only one trial call may."""
        if self.refuses:
            return False
        if self.state is not BreakerState.CLOSED:
            self.state = BreakerState.HALF_OPEN
            self._opened_at = self._clock.monotonic()
        return True

    def record(self, *, ok: bool, is_silent: bool = False) -> None:
        """Record the outcome of a call that was allowed. `is_silent`: it failed because no response came in time."""
        if is_silent:
            self._silent_calls += 1
        else:
            self._silent_calls, self._responded_at = 0, self._clock.monotonic()
        if self.state is BreakerState.HALF_OPEN:
            self._close() if ok else self._open()
            return
        self._outcomes.append(ok)
        failures = self._outcomes.count(False)
        if failures >= max(self._minimum, FAILURE_RATIO * len(self._outcomes)) or self._is_silent():
            self._open()

    def _is_silent(self) -> bool:
        silent_seconds = self._clock.monotonic() - self._responded_at
        return self._silent_calls >= SILENT_CALLS and silent_seconds >= SILENT_SECONDS

    def _close(self) -> None:
        self.state = BreakerState.CLOSED
        self._outcomes.clear()

    def _open(self) -> None:
        self.state = BreakerState.OPEN
        self._opened_at = self._clock.monotonic()
        self._outcomes.clear()


class Guard:
    """Wraps the calls to one dependency that share connections.

    Our own, because timeout, breaker, bulkhead, health and metrics must agree on what counts as a failure.
    """

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
        """`timeout` in seconds; `failures`: the driver's errors that mean "unavailable"; `at_once`: concurrent calls at most.

        `at_once` is the number of connections behind the guard: more calls would wait for one within their timeout.
        """
        self.name = name
        self.timeout_seconds = timeout
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
        self._at_once, self._in_use, self._waiting = at_once, 0, 0
        pool = metrics.gauge("tm_pool_connections")
        self._pool = {each: pool.labels(name, each) for each in ("idle", "used", "waiting")}
        metrics.before_scrape(self._show_pool)

    @asynccontextmanager
    async def call(self, *, within: float | None = None) -> AsyncIterator[None]:
        """Run the body as one call. `within`: seconds, where the call has another timeout than the guard's.

        The timeout applies to the wait for a slot, and then anew to the body. Raises DependencyUnavailable when no slot is
        free in time, and when the call fails, times out or may not be made. Any other error of the body is a response of
        the dependency: it is raised unchanged, and the dependency counts as up.
        """
        limit = self.timeout_seconds if within is None else within
        await self._take_slot(limit)
        self._in_use += 1
        try:
            async with self._outcome_recorded(limit):
                yield
        finally:
            self._in_use -= 1
            self._bulkhead.release()

    def _show_pool(self) -> None:
        self._pool["used"].set(self._in_use)
        self._pool["idle"].set(self._at_once - self._in_use)
        self._pool["waiting"].set(self._waiting)

    async def _take_slot(self, limit: float) -> None:
        """Wait for a slot, unless the breaker would refuse the call anyway."""
        if self._breaker.refuses:
            raise self._refused()
        if not self._bulkhead.locked():
            await self._bulkhead.acquire()
            return
        self._waiting += 1
        try:
            async with asyncio.timeout(limit):
                await self._bulkhead.acquire()
        except TimeoutError as error:
            raise self._overloaded(limit) from error
        finally:
            self._waiting -= 1

    @asynccontextmanager
    async def _outcome_recorded(self, limit: float) -> AsyncIterator[None]:
        if not self._breaker.allows():
            raise self._refused()
        started = self._clock.monotonic()
        try:
            async with time_limit(limit):
                yield
        except TimeoutError as error:
            raise self._record_failure("timeout", f"no response within {limit:g} s") from error
        except self._failures as error:
            raise self._record_failure("error", f"{type(error).__name__}: {error}") from error
        except Exception:
            self._record_success(started)
            raise
        self._record_success(started)

    def _refused(self) -> DependencyUnavailable:
        self._counted["rejected"].inc()
        return DependencyUnavailable(self.name, f"not called: {self._health.reason or self._health.detail}")

    def _overloaded(self, limit: float) -> DependencyUnavailable:
        # Not a failure: if the breaker opened under load, all of this dependency's load would move to the others.
        self._counted["rejected"].inc()
        return DependencyUnavailable(
            self.name, f"not called: the limit of concurrent calls was reached for {limit:g} s"
        )

    def _record_success(self, started: float) -> None:
        self._breaker.record(ok=True)
        self._health.mark_up()
        self._counted["ok"].inc()
        self._duration.observe(self._clock.monotonic() - started)

    def _record_failure(self, outcome: str, why: str) -> DependencyUnavailable:
        self._breaker.record(ok=False, is_silent=outcome == "timeout")
        if self._health.up is not False:
            _log.warning("dependency is down", dependency=self.name, why=redact(why))
        self._health.mark_down(why)
        self._counted[outcome].inc()
        return DependencyUnavailable(self.name, why)
