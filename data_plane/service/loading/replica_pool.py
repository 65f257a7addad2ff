"""Which replicas are asked, and in what order."""

from collections.abc import Sequence

import structlog

from data_plane.domain.replica_fitness import ReplicaFitness
from data_plane.ports import RouteSource
from shared.runtime.clock import Clock
from shared.runtime.metrics import Metrics

_log = structlog.get_logger(__name__)


class ReplicaPool:
    """Takes turns among those that are fit. The others are asked only when the primary cannot tell either: an answer
    that is behind, and says how old it is, is better than none.
    """

    def __init__(self, sources: Sequence[RouteSource], *, clock: Clock, metrics: Metrics) -> None:
        self._sources = tuple(sources)
        self._fitness = {each.name: ReplicaFitness() for each in sources}
        self._told_at = dict.fromkeys(self._fitness, clock.monotonic())
        self._clock = clock
        self._turn = 0
        self._lag, self._usable = metrics.gauge("tm_replica_lag_seconds"), metrics.gauge("tm_replica_usable")
        for name in self._fitness:
            self._usable.labels(name).set(1)

    def observe(self, name: str, lag: float | None) -> None:
        """The replica is so many seconds behind; None: it does not tell."""
        fitness = self._fitness[name]
        changed = fitness.observe(lag)
        if lag is not None:
            self._told_at[name] = self._clock.monotonic()
        self._usable.labels(name).set(fitness.is_usable)
        self._lag.labels(name).set(fitness.lag + self._silent_for(name))
        if changed and fitness.is_usable:
            _log.info("the replica is asked again", replica=name, lag_seconds=lag)
        elif changed:
            _log.warning("the replica is not asked any more", replica=name, lag_seconds=lag)

    def _silent_for(self, name: str) -> float:
        """Seconds since the replica last told its lag: by so much it may have grown since."""
        return self._clock.monotonic() - self._told_at[name]

    def is_usable(self, name: str) -> bool:
        """Whether the replica of that name is among those to ask."""
        return self._fitness[name].is_usable

    def fit(self) -> Sequence[RouteSource]:
        """Those to ask, each time beginning with another one."""
        self._turn += 1
        return self._rotated([each for each in self._sources if self._fitness[each.name].is_usable])

    def unfit(self) -> Sequence[RouteSource]:
        """Those to ask when nobody else can tell; the one that was least behind first."""
        unfit = (each for each in self._sources if not self._fitness[each.name].is_usable)
        return sorted(unfit, key=lambda each: self._fitness[each.name].lag)

    def in_read_order(self, primary: RouteSource | None) -> Sequence[RouteSource]:
        """All databases: those that are fit, the primary, and the others."""
        return [*self.fit(), *([primary] if primary else []), *self.unfit()]

    def _rotated(self, sources: Sequence[RouteSource]) -> Sequence[RouteSource]:
        first = self._turn % len(sources) if sources else 0
        return [*sources[first:], *sources[:first]]
