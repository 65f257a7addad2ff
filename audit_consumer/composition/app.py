"""Builds the audit consumer's application from its ports: the same for production and for tests."""

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager

from audit_consumer.composition.connect import connect
from audit_consumer.http.audit import PROBLEM_TYPES, audit_router
from audit_consumer.ports import Ports
from audit_consumer.service.ingestion import Ingestion
from audit_consumer.service.queries import AuditQueries
from audit_consumer.settings import AuditSettings
from audit_consumer.worker import AuditWorker
from shared.runtime import logs
from shared.runtime.access.assembly import Access
from shared.runtime.clock import Clock
from shared.runtime.health import Health
from shared.runtime.http.application import Lifespan, build_application
from shared.runtime.http.request_limits import request_limits_of
from shared.runtime.http.telemetry import TelemetryMiddleware
from shared.runtime.http.tenant_reads import limited_reads
from shared.runtime.metrics import Metrics
from shared.runtime.read_limits import read_limits
from shared.runtime.service import Service
from shared.runtime.settings import read_settings
from shared.runtime.tracing.setup import configure as configure_tracing


def create_app() -> TelemetryMiddleware:
    """The application that production serves, configured by the environment."""
    settings = read_settings(AuditSettings)
    logs.configure(
        service=Service.AUDIT_CONSUMER,
        instance=settings.instance_id,
        level=settings.log_level,
        log_format=settings.log_format,
    )
    configure_tracing(service=Service.AUDIT_CONSUMER, instance=settings.instance_id)
    return connected_app(settings)


def connected_app(settings: AuditSettings) -> TelemetryMiddleware:
    """The application on the servers in the settings. Opens nothing before its lifespan starts."""
    connections = connect(settings)
    return build_app(
        connections.ports,
        settings=settings,
        clock=connections.clock,
        health=connections.health,
        metrics=connections.metrics,
        access=connections.access,
        adapters=connections.opened,
    )


def build_app(
    ports: Ports,
    *,
    settings: AuditSettings,
    clock: Clock,
    health: Health,
    metrics: Metrics,
    access: Access,
    adapters: Lifespan | None = None,
) -> TelemetryMiddleware:
    """The application on these ports. `adapters` is a block in which the adapters behind them are open."""

    @asynccontextmanager
    async def lifespan() -> AsyncIterator[None]:
        worker = AuditWorker(
            source=ports.records,
            ingestion=Ingestion(ports.writer, ports.dead_letters, clock, metrics),
            store=ports.store,
            health=health,
            longest_pause_seconds=settings.audit_retry_seconds,
        )
        async with AsyncExitStack() as opened:
            await opened.enter_async_context(access.running())
            if adapters is not None:
                await opened.enter_async_context(adapters())
            # The worker stops first, because its last batch needs the adapters. It has a third of the shutdown time, so that
            # the adapters close before the server kills the process.
            await opened.enter_async_context(worker.running(grace_seconds=settings.shutdown_seconds / 3))
            yield

    return build_application(
        title="Traffic Manager: audit trail",
        description="Who changed which route, when, why, and the route's value before the change.",
        handlers=[
            limited_reads([audit_router(AuditQueries(ports.reader, clock))], read_limits(settings, clock, metrics))
        ],
        problem_types=PROBLEM_TYPES,
        health=health,
        metrics=metrics,
        authenticator=access.authenticator,
        lifespan=lifespan,
        limits=request_limits_of(settings),
        public_version=settings.public_version,
        revision=settings.revision,
    )
