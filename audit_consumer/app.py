"""The composition root: the only place that builds the parts and hands them to each other."""

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager

from audit_consumer.adapters import kafka, mongo
from audit_consumer.adapters.kafka_dead_letters import KafkaDeadLetters
from audit_consumer.adapters.kafka_records import KafkaRecords
from audit_consumer.adapters.mongo import MongoAuditTrail
from audit_consumer.http.audit import PROBLEM_TYPES, audit_router
from audit_consumer.ports import AuditReader
from audit_consumer.service.ingestion import Ingestion
from audit_consumer.service.queries import AuditQueries
from audit_consumer.settings import AuditSettings
from audit_consumer.worker import INDEXES, AuditWorker
from shared.runtime import logs, tracing
from shared.runtime.access.assembly import Access, build_access
from shared.runtime.access.key_feed import following
from shared.runtime.clock import Clock, SystemClock
from shared.runtime.health import DependencyHealth, Health
from shared.runtime.http.application import Lifespan, build_application
from shared.runtime.http.request_limits import RequestLimits, request_limits_of
from shared.runtime.http.telemetry import TelemetryMiddleware
from shared.runtime.kafka.clients import ProgressWatchdog
from shared.runtime.metric_catalogue import Service
from shared.runtime.metrics import Metrics
from shared.runtime.settings import read_settings


def create_app() -> TelemetryMiddleware:
    """The application as the server runs it, from the environment."""
    settings = read_settings(AuditSettings)
    logs.configure(
        service=Service.AUDIT_CONSUMER,
        instance=settings.instance_id,
        level=settings.log_level,
        log_format=settings.log_format,
    )
    tracing.configure(service=Service.AUDIT_CONSUMER, instance=settings.instance_id)
    return assemble(settings)


def assemble(settings: AuditSettings) -> TelemetryMiddleware:
    """The application over real servers; nothing is opened before its lifespan begins."""
    clock, health, metrics = SystemClock(), new_health(), Metrics(Service.AUDIT_CONSUMER)
    access = build_access(settings, clock=clock, health=health, metrics=metrics)
    trail = _trail(settings, clock, health, metrics)
    guard = kafka.new_guard(clock, health.dependencies[kafka.NAME], metrics)
    bootstrap, client_id = settings.kafka_bootstrap, settings.instance_id
    dead_letters = KafkaDeadLetters(bootstrap, client_id, guard)
    records = KafkaRecords(
        bootstrap,
        client_id,
        settings.audit_group,
        at_once=settings.audit_batch_records,
        guard=guard,
        watchdog=ProgressWatchdog(clock, metrics),
        metrics=metrics,
    )

    @asynccontextmanager
    async def lifespan() -> AsyncIterator[None]:
        # Closing goes the other way. The worker first: its last batch needs all the others. Then the consumer, which
        # leaves the group so that another member goes on at once; the producer; and MongoDB, which queries used last.
        async with AsyncExitStack() as opened:
            await opened.enter_async_context(access.running())
            keys = following(
                access, settings, health=health, clock=clock, metrics=metrics, copy=settings.key_snapshot_path
            )
            await opened.enter_async_context(keys)
            opened.push_async_callback(trail.close)
            opened.push_async_callback(dead_letters.close)
            opened.push_async_callback(records.close)
            worker = AuditWorker(
                source=records,
                ingestion=Ingestion(trail, dead_letters, clock, metrics),
                store=trail,
                health=health,
                longest_pause_seconds=settings.audit_retry_seconds,
            )
            # A third of the time there is, so that closing the rest comes before the server's kill.
            await opened.enter_async_context(worker.running(grace_seconds=settings.shutdown_seconds / 3))
            yield

    limits = request_limits_of(settings, settings.request_deadline_seconds)
    return build_app(trail, clock, health, metrics, access, lifespan, limits)


def _trail(settings: AuditSettings, clock: Clock, health: Health, metrics: Metrics) -> MongoAuditTrail:
    longest = max(settings.audit_write_seconds, settings.audit_query_seconds)
    return MongoAuditTrail(
        mongo.new_client(settings.mongo_url, longest_call=longest),
        settings.mongo_database,
        write_seconds=settings.audit_write_seconds,
        query_seconds=settings.audit_query_seconds,
        clock=clock,
        health=health.dependencies[mongo.NAME],
        metrics=metrics,
    )


def new_health() -> Health:
    """Queries need MongoDB and its indexes. Without Kafka they still work: the trail stops growing, and says so."""
    return Health(
        {
            mongo.NAME: DependencyHealth(required=True),
            INDEXES: DependencyHealth(required=True, up=False, detail="not known to be there yet"),
            kafka.NAME: DependencyHealth(required=False),
        }
    )


def build_app(
    reader: AuditReader,
    clock: Clock,
    health: Health,
    metrics: Metrics,
    access: Access,
    lifespan: Lifespan | None = None,
    limits: RequestLimits | None = None,
) -> TelemetryMiddleware:
    """The ASGI application over any reader of the audit trail."""
    return build_application(
        title="Traffic Manager audit trail",
        description="Who changed which route, when, why, and what it was before.",
        handlers=[audit_router(AuditQueries(reader, clock))],
        problem_types=PROBLEM_TYPES,
        health=health,
        metrics=metrics,
        authenticator=access.authenticator,
        lifespan=lifespan,
        limits=limits,
    )
