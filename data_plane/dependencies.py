"""The servers that a resolver calls, by name: how each is doing, and what stands before calls to it."""

from collections.abc import MutableMapping

from shared.runtime.clock import Clock
from shared.runtime.health import DependencyHealth
from shared.runtime.metrics import Metrics
from shared.runtime.resilience import Guard


class Dependencies:
    """None is required: a resolver answers from what it knows."""

    def __init__(self, clock: Clock, metrics: Metrics) -> None:
        self._clock = clock
        self._metrics = metrics
        self._all: dict[str, DependencyHealth] = {}

    @property
    def all(self) -> MutableMapping[str, DependencyHealth]:
        """Every one that was asked for, those asked for later included."""
        return self._all

    def health(self, name: str) -> DependencyHealth:
        """How the server of that name is doing; the same object each time."""
        return self._all.setdefault(name, DependencyHealth(required=False))

    def guard(self, name: str, timeout: float, failures: tuple[type[Exception], ...], at_once: int) -> Guard:
        """A guard of its own for calls to that server: seconds for one, what is a failure, how many at once."""
        return Guard(
            name,
            timeout=timeout,
            failures=failures,
            clock=self._clock,
            health=self.health(name),
            metrics=self._metrics,
            at_once=at_once,
        )
