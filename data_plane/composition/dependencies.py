"""The health of each server that a resolver calls, and the guards before the calls."""

from collections.abc import MutableMapping

from shared.runtime.clock import Clock
from shared.runtime.health import DependencyHealth
from shared.runtime.metrics import Metrics
from shared.runtime.resilience import Guard


class Dependencies:
    """Dependencies by name. None is required for readiness: a resolver can answer from L1 alone."""

    def __init__(self, clock: Clock, metrics: Metrics) -> None:
        self.clock = clock
        self.metrics = metrics
        self.all: MutableMapping[str, DependencyHealth] = {}
        """Grows as `health` and `guard` name new ones."""

    def health(self, name: str) -> DependencyHealth:
        """The health of the dependency; the same object each time."""
        return self.all.setdefault(name, DependencyHealth(required=False))

    def guard(self, name: str, timeout_seconds: float, failures: tuple[type[Exception], ...], at_once: int) -> Guard:
        """A new guard for calls to the dependency: `failures` count against it, at most `at_once` calls run."""
        return Guard(
            name,
            timeout=timeout_seconds,
            failures=failures,
            clock=self.clock,
            health=self.health(name),
            metrics=self.metrics,
            at_once=at_once,
        )
