"""The guard in front of all Kafka calls of a process, which reach the same brokers."""

from shared.runtime.clock import Clock
from shared.runtime.health import DependencyHealth
from shared.runtime.kafka.producer import KAFKA_FAILURES
from shared.runtime.metrics import Metrics
from shared.runtime.resilience import Guard

NAME = "kafka"
CALL_SECONDS = 10.0
"""Deadline for Kafka to confirm an offset or a dead letter; twice the clients' own request timeout."""


def new_guard(clock: Clock, health: DependencyHealth, metrics: Metrics) -> Guard:
    """A guard that allows CALL_SECONDS for each call."""
    return Guard(NAME, timeout=CALL_SECONDS, failures=KAFKA_FAILURES, clock=clock, health=health, metrics=metrics)
