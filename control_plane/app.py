"""Builds the control plane: the only place that knows every part."""

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from datetime import timedelta

from control_plane.adapters.kafka.event_log import UNAVAILABLE as KAFKA_UNAVAILABLE
from control_plane.adapters.kafka.event_log import KafkaEventLog
from control_plane.adapters.kafka.status_reports import KafkaStatusReports
from control_plane.adapters.postgres.access_keys import PostgresAccessKeys
from control_plane.adapters.postgres.change_sets import PostgresChangeSets
from control_plane.adapters.postgres.history import PostgresHistory
from control_plane.adapters.postgres.outbox import PostgresOutbox
from control_plane.adapters.postgres.primary import UNAVAILABLE as POSTGRES_UNAVAILABLE
from control_plane.adapters.postgres.primary import Primary
from control_plane.adapters.postgres.publications import PostgresDispatches
from control_plane.adapters.postgres.routes import PostgresRoutes
from control_plane.adapters.postgres.tenants import PostgresTenants
from control_plane.domain.route_url import UrlRules
from control_plane.errors import TooManyWrites
from control_plane.http.access_keys.handlers import access_key_handlers
from control_plane.http.changes.handlers import change_handlers
from control_plane.http.common.problem_types import PROBLEM_TYPES, tenant_not_found
from control_plane.http.common.rate_limits import rate_limited
from control_plane.http.history.handlers import history_handlers
from control_plane.http.propagation.handlers import propagation_handlers
from control_plane.http.routes.handlers import route_handlers
from control_plane.http.tenants.handlers import tenant_handlers
from control_plane.ports import (
    AccessKeys,
    ChangeSets,
    EventLog,
    History,
    Outbox,
    Publications,
    Routes,
    StatusReports,
    Tenants,
)
from control_plane.service.access_keys import AccessKeyService
from control_plane.service.change_sets import ChangeSetService
from control_plane.service.history import HistoryService
from control_plane.service.key_refresh import KeyRefresh
from control_plane.service.outbox_monitor import OutboxMonitor
from control_plane.service.propagation import PropagationService, WaitLimits
from control_plane.service.relay import Relay, RelayTiming
from control_plane.service.resolver_monitor import ResolverMonitor
from control_plane.service.routes import RouteService
from control_plane.service.tenants import TenantService
from control_plane.service.write_limits import write_limits
from control_plane.settings import ControlPlaneSettings
from control_plane.worker import refreshing, running, watching
from shared.runtime import logs, tracing
from shared.runtime.access.assembly import Access, build_access
from shared.runtime.clock import SystemClock
from shared.runtime.health import DependencyHealth, Health
from shared.runtime.http.application import Lifespan, build_application
from shared.runtime.http.request_limits import request_limits_of
from shared.runtime.http.telemetry import TelemetryMiddleware
from shared.runtime.metric_catalogue import Service
from shared.runtime.metrics import Metrics
from shared.runtime.resilience import Guard
from shared.runtime.settings import read_settings

_RELAY_CALL_SECONDS = 5.0
_PUBLISH_SECONDS = 6.0
"""Longer than a broker's own answer may take, so that the client library has tried again once."""


def new_health() -> Health:
    """PostgreSQL counts as down until it has answered once; without Kafka the outbox grows and nothing fails."""
    unseen = DependencyHealth(required=True, up=False, detail="not reached yet")
    return Health(
        {
            "postgres": unseen,
            "outbox_relay": DependencyHealth(required=False),
            "kafka": DependencyHealth(required=False),
        }
    )


def build_app(
    *,
    tenants: Tenants,
    routes: Routes,
    change_sets: ChangeSets,
    history: History,
    keys: AccessKeys,
    outbox: Outbox,
    events: EventLog,
    publications: Publications,
    reports: StatusReports,
    revocations: EventLog,
    settings: ControlPlaneSettings,
    health: Health,
    metrics: Metrics,
    access: Access,
    adapters: Lifespan | None = None,
) -> TelemetryMiddleware:
    """The service on these ports. `revocations` is `events` by a way of its own, so that neither waits for the other;
    `adapters` opens what is behind them and closes it again."""
    timing = RelayTiming(
        poll=settings.relay_poll_seconds,
        heartbeat=settings.heartbeat_seconds,
        retention=timedelta(hours=settings.outbox_retention_hours),
        history=timedelta(days=settings.history_retention_days),
    )
    relay = Relay(outbox, events, timing=timing, metrics=metrics)
    watch = OutboxMonitor(outbox, health=health, metrics=metrics)
    # A little before the deadline of the whole request, so that what fails is counted and says what it was.
    deadline = 0.95 * settings.request_deadline_seconds
    rules = UrlRules(settings.url_schemes, settings.url_link_local_allowed)
    changes = ChangeSetService(change_sets, on_commit=relay.wake, deadline_seconds=deadline, metrics=metrics)
    past = HistoryService(history, deadline_seconds=deadline)
    clock = SystemClock()
    fleet = ResolverMonitor(reports, clock=clock, metrics=metrics, notes=health.notes)
    propagation = PropagationService(
        publications,
        fleet,
        deadline_seconds=deadline,
        limits=WaitLimits(settings.propagation_wait_seconds, settings.max_concurrent_propagation_waits),
        is_ending=lambda: health.draining,
        clock=clock,
    )

    key_service = AccessKeyService(keys, access.keyring, revocations, on_commit=relay.wake, deadline_seconds=deadline)

    @asynccontextmanager
    async def lifespan() -> AsyncIterator[None]:
        async with AsyncExitStack() as opened:
            # The relay publishes what requests commit, and both need the adapters: so it stops when the last request
            # has been answered, and the adapters close when nobody uses them.
            if adapters is not None:
                await opened.enter_async_context(adapters())
            await opened.enter_async_context(watching(fleet))
            await opened.enter_async_context(access.running())
            if access.keyring is not None and access.keys_health is not None:
                refresh = KeyRefresh(keys, access.keyring, health=access.keys_health, clock=SystemClock())
                await opened.enter_async_context(refreshing(refresh))
            await opened.enter_async_context(running(relay, watch, stop_seconds=settings.relay_stop_seconds))
            yield

    return build_application(
        title="Traffic Manager: control plane",
        description="Which URL serves a tenant's service, environment and version. Changes are atomic, numbered per "
        "tenant, attributed, and on their way to every resolver when they are answered.",
        handlers=[
            rate_limited(
                [
                    *tenant_handlers(TenantService(tenants, deadline_seconds=deadline)),
                    *route_handlers(RouteService(routes, deadline_seconds=deadline), changes, past, rules),
                    *change_handlers(changes, rules),
                    *history_handlers(past),
                    *propagation_handlers(propagation, deadline),
                    *access_key_handlers(key_service),
                ],
                write_limits(settings, clock, metrics),
            )
        ],
        problem_types=PROBLEM_TYPES,
        write_problem_types=[PROBLEM_TYPES[TooManyWrites]],
        health=health,
        metrics=metrics,
        authenticator=access.authenticator,
        make_not_found=tenant_not_found,
        lifespan=lifespan,
        limits=request_limits_of(settings, settings.request_deadline_seconds),
    )


def create_app() -> TelemetryMiddleware:
    """The service as it runs, told by the environment."""
    settings = read_settings(ControlPlaneSettings)
    logs.configure(
        service=Service.CONTROL_PLANE,
        instance=settings.instance_id,
        level=settings.log_level,
        log_format=settings.log_format,
    )
    tracing.configure(service=Service.CONTROL_PLANE, instance=settings.instance_id)
    return connected(settings)


def connected(settings: ControlPlaneSettings) -> TelemetryMiddleware:
    """The service on PostgreSQL and Kafka, as the settings say; nothing is open yet."""
    health, metrics, clock = new_health(), Metrics(Service.CONTROL_PLANE), SystemClock()
    access = build_access(settings, clock=clock, health=health, metrics=metrics)

    def guard(name: str, seconds: float, failures: tuple[type[Exception], ...]) -> Guard:
        return Guard(
            name,
            timeout=seconds,
            failures=failures,
            clock=clock,
            health=health.dependencies[name],
            metrics=metrics,
        )

    deadline = settings.request_deadline_seconds
    # Ends before the request's own deadline does, so that the guard hears of a server that does not answer.
    primary_guard = guard("postgres", 0.9 * deadline, POSTGRES_UNAVAILABLE)
    primary = Primary(
        settings.postgres_url, size=settings.postgres_pool_size, deadline_seconds=deadline, guard=primary_guard
    )
    # A guard of its own: requests that fail must not cost the relay its lock, nor the other way round.
    relay_guard = guard("outbox_relay", _RELAY_CALL_SECONDS, POSTGRES_UNAVAILABLE)
    kafka_guard = guard("kafka", _PUBLISH_SECONDS, KAFKA_UNAVAILABLE)
    events = KafkaEventLog(settings.kafka_bootstrap, settings.instance_id, kafka_guard)
    revocations = KafkaEventLog(settings.kafka_bootstrap, f"{settings.instance_id}-revocations", kafka_guard)

    @asynccontextmanager
    async def adapters() -> AsyncIterator[None]:
        async with AsyncExitStack() as opened:
            await opened.enter_async_context(primary)
            opened.push_async_callback(events.close)
            opened.push_async_callback(revocations.close)
            yield

    return build_app(
        tenants=PostgresTenants(primary),
        routes=PostgresRoutes(primary),
        change_sets=PostgresChangeSets(primary, metrics, most_routes=settings.tenant_route_quota),
        history=PostgresHistory(primary),
        keys=PostgresAccessKeys(primary),
        outbox=PostgresOutbox(primary, settings.postgres_url, relay_guard),
        events=events,
        publications=PostgresDispatches(primary),
        reports=KafkaStatusReports(settings.kafka_bootstrap, settings.instance_id, clock=clock, metrics=metrics),
        revocations=revocations,
        settings=settings,
        health=health,
        metrics=metrics,
        access=access,
        adapters=adapters,
    )
