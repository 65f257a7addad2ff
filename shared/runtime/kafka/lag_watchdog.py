"""Detects consumers that lag without making progress."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from aiokafka import TopicPartition

from shared.runtime.clock import Clock
from shared.runtime.metrics import Metrics

STALLED_AFTER_SECONDS = 30.0
"""A partition that lags and makes no progress for this long counts as a failure."""


@dataclass
class _Progress:
    """A partition's position (next offset to read), and since when it has been there, on the monotonic clock."""

    position: int
    unmoved_since: float
    caught_up_at: float


class LagWatchdog:
    """Distinguishes an idle consumer from a stalled one, which lags while its position does not move."""

    def __init__(self, clock: Clock, metrics: Metrics) -> None:
        self._clock = clock
        self._lag = metrics.gauge("tm_consumer_lag_records")
        self._lag_seconds = metrics.gauge("tm_consumer_lag_seconds")
        self._stalled = metrics.gauge("tm_consumer_stalled_seconds")
        self._partitions: dict[TopicPartition, _Progress] = {}

    def observe(self, ends: Mapping[TopicPartition, int], position_of: Callable[[TopicPartition], int]) -> float:
        """Compare positions (next offset to read) with the ends of the log. Returns the longest stall in seconds."""
        return max(
            (self._observe(partition, end, position_of(partition)) for partition, end in ends.items()), default=0
        )

    def _observe(self, partition: TopicPartition, end: int, position: int) -> float:
        now = self._clock.monotonic()
        progress = self._partitions.get(partition)
        if progress is None or position >= end:
            progress = self._partitions[partition] = _Progress(position, now, now)
        elif position != progress.position:
            progress.position, progress.unmoved_since = position, now
        stalled = now - progress.unmoved_since
        self._export(partition, lag=max(0, end - position), lag_seconds=now - progress.caught_up_at, stalled=stalled)
        return stalled

    def reset(self) -> None:
        """Forget all observations, after a reconnect or a rebalance. The gauges of partitions seen so far read 0."""
        for partition in self._partitions:
            self._export(partition, lag=0, lag_seconds=0, stalled=0)
        self._partitions.clear()

    def _export(self, partition: TopicPartition, *, lag: int, lag_seconds: float, stalled: float) -> None:
        labels = (partition.topic, str(partition.partition))
        self._lag.labels(*labels).set(lag)
        self._lag_seconds.labels(*labels).set(lag_seconds)
        self._stalled.labels(*labels).set(stalled)
