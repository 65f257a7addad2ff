from aiokafka import TopicPartition

from shared.runtime.kafka.lag_watchdog import LagWatchdog
from shared.runtime.metrics import Metrics
from shared.runtime.service import Service
from tests.support.clocks import MovableClock

PARTITION = TopicPartition("route-events", 3)


def watch(watchdog: LagWatchdog, end: int, position: int) -> float:
    return watchdog.observe({PARTITION: end}, {PARTITION: position}.__getitem__)


def test_a_consumer_that_lags_and_does_not_move_is_stalled() -> None:
    clock, metrics = MovableClock(), Metrics(Service.AUDIT_CONSUMER)
    watchdog = LagWatchdog(clock, metrics)
    assert watch(watchdog, end=10, position=4) == 0
    clock.advance(20)
    assert watch(watchdog, end=12, position=4) == 20
    assert b'tm_consumer_lag_records{partition="3",topic="route-events"} 8.0' in metrics.exposition()
    assert b'tm_consumer_stalled_seconds{partition="3",topic="route-events"} 20.0' in metrics.exposition()


def test_progress_ends_a_stall_and_an_idle_consumer_has_none() -> None:
    clock = MovableClock()
    watchdog = LagWatchdog(clock, Metrics(Service.AUDIT_CONSUMER))
    watch(watchdog, end=10, position=4)
    clock.advance(20)
    assert watch(watchdog, end=10, position=5) == 0
    clock.advance(20)
    assert watch(watchdog, end=10, position=10) == 0
    clock.advance(20)
    assert watch(watchdog, end=10, position=10) == 0


def test_a_consumer_that_moves_but_does_not_catch_up_is_behind_since_it_last_had() -> None:
    clock, metrics = MovableClock(), Metrics(Service.AUDIT_CONSUMER)
    watchdog = LagWatchdog(clock, metrics)
    watch(watchdog, end=4, position=4)
    for position in (5, 6):
        clock.advance(10)
        assert watch(watchdog, end=10, position=position) == 0
    assert b'tm_consumer_lag_seconds{partition="3",topic="route-events"} 20.0' in metrics.exposition()
    watch(watchdog, end=10, position=10)
    assert b'tm_consumer_lag_seconds{partition="3",topic="route-events"} 0.0' in metrics.exposition()


def test_partitions_that_went_to_others_show_no_lag_here() -> None:
    metrics = Metrics(Service.AUDIT_CONSUMER)
    watchdog = LagWatchdog(MovableClock(), metrics)
    watch(watchdog, end=10, position=4)
    watchdog.reset()
    assert b'tm_consumer_lag_records{partition="3",topic="route-events"} 0.0' in metrics.exposition()
