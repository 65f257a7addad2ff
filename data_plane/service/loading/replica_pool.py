"""The replicas, and which of them are usable."""

from collections.abc import Sequence, Set

import structlog

from data_plane.domain.replica_fitness import ReplicaFitness
from data_plane.ports import RouteSource
from shared.runtime.clock import Clock
from shared.runtime.metrics import Metrics

_log = structlog.get_logger(__name__)


class ReplicaPool:
    """Decides from their measured lag which replicas are usable. `local` names those in the resolver's own zone."""

    def __init__(
        self, sources: Sequence[RouteSource], *, clock: Clock, metrics: Metrics, local: Set[str] = frozenset()
    ) -> None:
        self._sources = tuple(sources)
        self._local = local
        self._fitness = {each.name: ReplicaFitness() for each in sources}
        self._measured_at = dict.fromkeys(self._fitness, clock.monotonic())
        self._clock = clock
        self.changes = 0
        """Grows whenever `usable` or `unusable` changes."""
        self._lag, self._usable = metrics.gauge("tm_replica_lag_seconds"), metrics.gauge("tm_replica_usable")
        for name in self._fitness:
            self._usable.labels(name).set(1)

    def observe(self, name: str, lag: float | None) -> None:
        """Record the replica's lag in seconds; None: the measurement failed."""
        fitness = self._fitness[name]
        changed = fitness.observe(lag)
        self.changes += changed or not fitness.is_usable
        if lag is not None:
            self._measured_at[name] = self._clock.monotonic()
        self._usable.labels(name).set(fitness.is_usable)
        # The lag may have grown by all the time since it was measured.
        self._lag.labels(name).set(fitness.lag + self._clock.monotonic() - self._measured_at[name])
        if changed and fitness.is_usable:
            _log.info("replica is usable again", replica=name, lag_seconds=lag)
        elif changed:
            _log.warning("replica is not usable", replica=name, lag_seconds=lag)

    def usable(self) -> Sequence[RouteSource]:
        """The usable replicas."""
        return [each for each in self._sources if self._fitness[each.name].is_usable]

    def is_local(self, name: str) -> bool:
        """Whether the replica is in the resolver's own zone."""
        return name in self._local

    def unusable(self) -> Sequence[RouteSource]:
        """The other replicas, the one with the least lag first."""
        unusable = (each for each in self._sources if not self._fitness[each.name].is_usable)
        return sorted(unusable, key=lambda each: self._fitness[each.name].lag)
