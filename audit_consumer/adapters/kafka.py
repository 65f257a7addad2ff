"""The guard that stands before every call to Kafka."""

from aiokafka.errors import KafkaError

from shared.runtime.clock import Clock
from shared.runtime.health import DependencyHealth
from shared.runtime.metrics import Metrics
from shared.runtime.resilience import Guard

NAME = "kafka"
CALL_SECONDS = 10.0
"""Longest wait for Kafka to confirm an offset or a dead letter; the clients' own timeouts are half of it."""


def new_guard(clock: Clock, health: DependencyHealth, metrics: Metrics) -> Guard:
    """One for all clients of a process: they talk to the same brokers."""
    return Guard(NAME, timeout=CALL_SECONDS, failures=(KafkaError,), clock=clock, health=health, metrics=metrics)
