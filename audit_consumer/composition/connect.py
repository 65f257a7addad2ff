"""The adapters on MongoDB and Kafka: builds each from the settings, and opens none."""

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass

from audit_consumer.adapters.kafka.dead_letters import KafkaDeadLetters
from audit_consumer.adapters.kafka.records import KafkaRecords
from audit_consumer.adapters.mongo import audit_trail as mongo
from audit_consumer.adapters.mongo.audit_trail import MongoAuditTrail
from audit_consumer.ports import Ports
from audit_consumer.settings import AuditSettings
from audit_consumer.worker import INDEXES
from shared.runtime.access.assembly import Access, build_access
from shared.runtime.access.key_feed import following
from shared.runtime.clock import Clock, SystemClock
from shared.runtime.health import DependencyHealth, Health
from shared.runtime.http.application import Lifespan
from shared.runtime.kafka.lag_watchdog import LagWatchdog
from shared.runtime.kafka.producer import KAFKA_FAILURES
from shared.runtime.metrics import Metrics
from shared.runtime.resilience import Guard
from shared.runtime.service import Service

KAFKA = "kafka"
KAFKA_CALL_SECONDS = 10.0
"""Deadline for Kafka to confirm an offset or a dead letter; twice the clients' own request timeout."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Connections:
    """The ports on real servers, with their health, metrics and access. The adapters are open inside `opened`."""

    ports: Ports
    clock: Clock
    health: Health
    metrics: Metrics
    access: Access
    opened: Lifespan


def new_health() -> Health:
    """Queries need MongoDB and its indexes. Kafka is optional: without it the trail does not grow, and queries work."""
    return Health(
        {
            mongo.NAME: DependencyHealth(required=True),
            mongo.READS: DependencyHealth(required=False),
            INDEXES: DependencyHealth(required=True, up=False, detail="not checked yet"),
            KAFKA: DependencyHealth(required=False),
        }
    )


def kafka_guard(clock: Clock, health: DependencyHealth, metrics: Metrics) -> Guard:
    """The guard of all Kafka calls of a process, which reach the same brokers."""
    return Guard(
        KAFKA, timeout=KAFKA_CALL_SECONDS, failures=KAFKA_FAILURES, clock=clock, health=health, metrics=metrics
    )


def connect(settings: AuditSettings) -> Connections:
    """The adapters on the servers in the settings."""
    clock, health, metrics = SystemClock(), new_health(), Metrics(Service.AUDIT_CONSUMER)
    access = build_access(settings, clock=clock, health=health, metrics=metrics)
    trail = _audit_trail(settings, clock, health, metrics)
    guard = kafka_guard(clock, health.dependencies[KAFKA], metrics)
    bootstrap, client_id = settings.kafka_bootstrap, settings.instance_id
    dead_letters = KafkaDeadLetters(bootstrap, client_id, guard)
    records = KafkaRecords(
        bootstrap,
        client_id,
        settings.audit_group,
        max_records=settings.audit_batch_records,
        guard=guard,
        watchdog=LagWatchdog(clock, metrics),
        metrics=metrics,
    )

    @asynccontextmanager
    async def opened() -> AsyncIterator[None]:
        # Closing happens in reverse. The consumer leaves the group first, so that another member continues at once; then
        # the producer closes, and MongoDB last.
        async with AsyncExitStack() as stack:
            await stack.enter_async_context(
                following(
                    access, settings, health=health, clock=clock, metrics=metrics, snapshot=settings.key_snapshot_path
                )
            )
            stack.push_async_callback(trail.close)
            stack.push_async_callback(dead_letters.close)
            stack.push_async_callback(records.close)
            yield

    ports = Ports(reader=trail, writer=trail, store=trail, records=records, dead_letters=dead_letters)
    return Connections(ports=ports, clock=clock, health=health, metrics=metrics, access=access, opened=opened)


def _audit_trail(settings: AuditSettings, clock: Clock, health: Health, metrics: Metrics) -> MongoAuditTrail:
    return MongoAuditTrail(
        mongo.new_client(
            settings.mongo_url, call_seconds=max(settings.audit_write_seconds, settings.audit_query_seconds)
        ),
        settings.mongo_database,
        write_seconds=settings.audit_write_seconds,
        query_seconds=settings.audit_query_seconds,
        clock=clock,
        health=health.dependencies[mongo.NAME],
        reads_health=health.dependencies[mongo.READS],
        metrics=metrics,
        reads_client=mongo.new_client(settings.mongo_url, call_seconds=settings.audit_query_seconds),
    )
