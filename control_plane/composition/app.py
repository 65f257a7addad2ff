"""Builds the control plane's application from its ports: the same for production and for tests."""

import gc
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from datetime import timedelta

from control_plane.composition.connect import connect
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
from control_plane.ports.bundle import Ports
from control_plane.service.access_keys import AccessKeyService
from control_plane.service.change_sets import ChangeSetService
from control_plane.service.history import HistoryService
from control_plane.service.installation_monitor import SAMPLE_SECONDS as INSTALLATION_SECONDS
from control_plane.service.installation_monitor import InstallationMonitor
from control_plane.service.key_refresh import REFRESH_SECONDS, KeyRefresh
from control_plane.service.key_topic import KeyTopicKeeper
from control_plane.service.key_usage import KeyUsageKeeper
from control_plane.service.outbox_monitor import SAMPLE_SECONDS, OutboxMonitor
from control_plane.service.propagation import PropagationService, WaitLimits
from control_plane.service.relay import Relay, RelayTiming
from control_plane.service.resolver_monitor import ResolverMonitor
from control_plane.service.routes import RouteService
from control_plane.service.tenants import TenantService
from control_plane.service.write_limits import write_limits
from control_plane.settings import ControlPlaneSettings
from shared.runtime import logs
from shared.runtime.access.assembly import Access
from shared.runtime.access.key_usage import KeyUsageReporter
from shared.runtime.background import Work, in_background
from shared.runtime.clock import Clock, SystemClock
from shared.runtime.deadlines import Deadlines
from shared.runtime.health import Health
from shared.runtime.http.application import Handler, Lifespan, build_application
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
    settings = read_settings(ControlPlaneSettings)
    logs.configure(
        service=Service.CONTROL_PLANE,
        instance=settings.instance_id,
        level=settings.log_level,
        log_format=settings.log_format,
    )
    configure_tracing(service=Service.CONTROL_PLANE, instance=settings.instance_id)
    app = connected_app(settings)
    # All objects that exist now live as long as the process: a full collection need not visit them.
    gc.freeze()
    return app


def connected_app(settings: ControlPlaneSettings) -> TelemetryMiddleware:
    """The application on the servers that the settings name. Opens nothing before its lifespan starts."""
    connections = connect(settings)
    return build_app(
        connections.ports,
        settings=settings,
        health=connections.health,
        metrics=connections.metrics,
        access=connections.access,
        adapters=connections.opened,
    )


def build_app(
    ports: Ports,
    *,
    settings: ControlPlaneSettings,
    health: Health,
    metrics: Metrics,
    access: Access,
    adapters: Lifespan | None = None,
) -> TelemetryMiddleware:
    """The application on these ports. `adapters` is a block in which the adapters behind them are open."""
    clock = SystemClock()
    background = _background(ports, settings, access=access, health=health, metrics=metrics, clock=clock)
    handlers = _handlers(ports, settings, background, access=access, health=health, metrics=metrics, clock=clock)

    @asynccontextmanager
    async def lifespan() -> AsyncIterator[None]:
        async with AsyncExitStack() as opened:
            # The relay publishes what requests commit, and both need the adapters: the relay stops after the last request
            # was answered, and the adapters close after everything that uses them.
            if adapters is not None:
                await opened.enter_async_context(adapters())
            await opened.enter_async_context(access.running())
            if access.keyring is not None and access.keys_health is not None:
                refresh = KeyRefresh(ports.access_keys, access.keyring, health=access.keys_health, clock=clock)
                await opened.enter_async_context(
                    in_background(refresh.refresh, "access keys", every_seconds=REFRESH_SECONDS)
                )
                own_usage = KeyUsageKeeper(ports.key_usage_reports, ports.key_use).note_own
                await opened.enter_async_context(KeyUsageReporter(access.used_keys, own_usage, clock=clock).running())
            await opened.enter_async_context(background.running(settings.relay_stop_seconds))
            yield

    return build_application(
        title="Traffic Manager: control plane",
        description="Which URL serves a tenant's service, environment and version. Changes are atomic, numbered per "
        "tenant, attributed, and on their way to every resolver when they are answered.",
        handlers=[
            rate_limited(
                [limited_reads(handlers, read_limits(settings, clock, metrics))], write_limits(settings, clock, metrics)
            )
        ],
        problem_types=PROBLEM_TYPES,
        write_problem_types=[PROBLEM_TYPES[TooManyWrites]],
        health=health,
        metrics=metrics,
        authenticator=access.authenticator,
        make_not_found=tenant_not_found,
        lifespan=lifespan,
        limits=request_limits_of(settings),
        public_version=settings.public_version,
        revision=settings.revision,
    )


@dataclass(frozen=True, slots=True)
class _Background:
    """The parts that run between requests, and that requests use."""

    relay: Relay
    outbox: OutboxMonitor
    installation: InstallationMonitor
    resolvers: ResolverMonitor

    @asynccontextmanager
    async def running(self, relay_grace_seconds: float) -> AsyncIterator[None]:
        """All of them run inside the block; then the relay has this long to publish what was committed last."""
        relay, resolvers = self.relay, self.resolvers
        async with (
            in_background(
                relay.run, "outbox relay", backoff=relay.backoff, stop=relay.stop, grace_seconds=relay_grace_seconds
            ),
            in_background(self.outbox.sample, "outbox monitor", every_seconds=SAMPLE_SECONDS),
            in_background(self.installation.sample, "installation monitor", every_seconds=INSTALLATION_SECONDS),
            in_background(resolvers.run, "resolver monitor", backoff=resolvers.backoff),
        ):
            yield


def _background(
    ports: Ports, settings: ControlPlaneSettings, *, access: Access, health: Health, metrics: Metrics, clock: Clock
) -> _Background:
    timing = RelayTiming(
        poll_seconds=settings.relay_poll_seconds,
        heartbeat_seconds=settings.heartbeat_seconds,
        outbox_retention=timedelta(hours=settings.outbox_retention_hours),
        history_retention=timedelta(days=settings.history_retention_days),
    )
    while_leading = _while_leading(ports, health, clock) if access.keyring is not None else {}
    relay = Relay(ports.outbox, ports.events, timing=timing, metrics=metrics, while_leading=while_leading)
    return _Background(
        relay,
        OutboxMonitor(ports.outbox, health=health, metrics=metrics),
        InstallationMonitor(ports.installation, is_leading=lambda: relay.is_leading, metrics=metrics),
        ResolverMonitor(ports.status_reports, clock=clock, metrics=metrics, notes=health.notes),
    )


def _while_leading(ports: Ports, health: Health, clock: Clock) -> Mapping[str, Work]:
    """The work on access keys that one process does; none of it where access is off."""
    keeper = KeyTopicKeeper(ports.key_topic, ports.key_publications, clock=clock, notes=health.notes)
    usage = KeyUsageKeeper(ports.key_usage_reports, ports.key_use)
    return {"topic of access keys": keeper.run, "usage of access keys": usage.run}


def _handlers(
    ports: Ports,
    settings: ControlPlaneSettings,
    background: _Background,
    *,
    access: Access,
    health: Health,
    metrics: Metrics,
    clock: Clock,
) -> Sequence[Handler]:
    deadline = Deadlines(settings.request_deadline_seconds).use_case_seconds
    wake = background.relay.wake
    tenants = TenantService(ports.tenants, deadline_seconds=deadline)
    routes = RouteService(ports.routes, deadline_seconds=deadline)
    history = HistoryService(ports.history, deadline_seconds=deadline)
    changes = ChangeSetService(
        ports.change_sets,
        route_quota=settings.tenant_route_quota,
        on_commit=wake,
        deadline_seconds=deadline,
        metrics=metrics,
    )
    keys = AccessKeyService(
        ports.access_keys,
        access.keyring,
        ports.revocations,
        on_commit=wake,
        deadline_seconds=deadline,
        default_grace=timedelta(hours=settings.rotation_grace_hours),
    )
    propagation = PropagationService(
        ports.publications,
        background.resolvers,
        deadline_seconds=deadline,
        limits=WaitLimits(settings.propagation_wait_seconds, settings.max_concurrent_propagation_waits),
        is_draining=lambda: health.draining,
        clock=clock,
    )
    rules = UrlRules(settings.url_schemes, settings.url_link_local_allowed)
    return [
        *tenant_handlers(tenants),
        *route_handlers(routes, changes, history, rules),
        *change_handlers(changes, rules, settings.max_desired_routes),
        *history_handlers(history),
        *propagation_handlers(propagation, deadline),
        *access_key_handlers(keys),
    ]
