"""The resolver's ASGI application. Tests run the same handlers, watch and fast path as production does."""

import gc
from collections.abc import Mapping

from data_plane.composition.connect import connect
from data_plane.errors import (
    NoSuchTenant,
    RouteOfOtherTenant,
    RouteUnknown,
    TooManyKeys,
    TooManyLoads,
    TooManyWatches,
    WatchUnavailable,
)
from data_plane.http.explain import explain_handler
from data_plane.http.fast_path.middleware import FastPath
from data_plane.http.resolve import resolve_handler
from data_plane.http.resolve_many import TOO_MANY_KEYS, resolve_many_handler
from data_plane.http.responses import ROUTE_UNKNOWN
from data_plane.http.sse.stream import StreamTiming
from data_plane.http.tenant_concealment import concealed_route_problem, concealing_error
from data_plane.http.watch import NO_SUCH_TENANT, TOO_MANY_WATCHES, WATCH_UNAVAILABLE, watch_handler
from data_plane.service.core import Core
from data_plane.settings import DataPlaneSettings
from shared.runtime import logs
from shared.runtime.access.assembly import Access
from shared.runtime.clock import SystemClock
from shared.runtime.health import Health
from shared.runtime.http.application import Lifespan, build_application
from shared.runtime.http.problems import TOO_MANY_READS, ProblemType
from shared.runtime.http.request_limits import request_limits_of
from shared.runtime.http.telemetry import TelemetryMiddleware
from shared.runtime.http.tenant_reads import SAFE_METHODS, limited_reads
from shared.runtime.metrics import Metrics
from shared.runtime.read_limits import read_limits
from shared.runtime.service import Service
from shared.runtime.settings import read_settings
from shared.runtime.tracing.otel_settings import OtelSettings
from shared.runtime.tracing.setup import configure as configure_tracing


def create_app() -> FastPath:
    """The application on real servers, from the environment. Nothing is opened before its lifespan begins."""
    settings = read_settings(DataPlaneSettings)
    logs.configure(
        service=Service.DATA_PLANE,
        instance=settings.instance_id,
        level=settings.log_level,
        log_format=settings.log_format,
    )
    otel = configure_tracing(service=Service.DATA_PLANE, instance=settings.instance_id)
    process = connect(settings)
    app = build_app(
        process.core,
        settings,
        access=process.access,
        health=process.health,
        metrics=process.metrics,
        lifespan=process.running,
        otel=otel,
    )
    # All objects that exist now live as long as the process, the queues of the cache among them. With a million routes, a
    # full collection that visits them would stop all requests for a tenth of a second.
    gc.freeze()
    return app


def build_app(
    core: Core,
    settings: DataPlaneSettings,
    *,
    access: Access,
    health: Health,
    metrics: Metrics,
    lifespan: Lifespan | None = None,
    otel: OtelSettings | None = None,
) -> FastPath:
    """The application over any core: every handler, behind the fast path that answers L1 hits.

    `otel`: which L1 hits have a span; None for none.
    """
    return FastPath(
        build_api(core, settings, access=access, health=health, metrics=metrics, lifespan=lifespan),
        core.l1_reader,
        negative_ttl_seconds=settings.negative_ttl_seconds,
        authenticator=access.authenticator,
        health=health,
        metrics=metrics,
        limits=request_limits_of(settings),
        otel=otel,
        server=settings.public_version.server,
    )


def build_api(
    core: Core,
    settings: DataPlaneSettings,
    *,
    access: Access,
    health: Health,
    metrics: Metrics,
    lifespan: Lifespan | None = None,
) -> TelemetryMiddleware:
    """The application without the fast path, which must answer every request exactly as this does."""
    timing = StreamTiming(settings.watch_progress_seconds, settings.watch_send_timeout_seconds)
    return build_application(
        title="Traffic Manager: resolver",
        description="Resolves a tenant's service, environment and version to the URL that serves it now.",
        handlers=[
            resolve_handler(core.resolver),
            limited_reads(
                [
                    resolve_many_handler(core.bulk),
                    explain_handler(core.explainer),
                    watch_handler(core.watch_hub, access.authenticator, timing),
                ],
                read_limits(settings, SystemClock(), metrics),
                SAFE_METHODS | {"POST"},
            ),
        ],
        problem_types=_problem_types(settings.negative_ttl_seconds),
        health=health,
        metrics=metrics,
        authenticator=access.authenticator,
        make_not_found=concealing_error,
        lifespan=lifespan,
        limits=request_limits_of(settings),
        public_version=settings.public_version,
        revision=settings.revision,
    )


def _problem_types(negative_ttl_seconds: float) -> Mapping[type[Exception], ProblemType]:
    return {
        RouteUnknown: ROUTE_UNKNOWN,
        TooManyLoads: TOO_MANY_READS,
        TooManyKeys: TOO_MANY_KEYS,
        RouteOfOtherTenant: concealed_route_problem(negative_ttl_seconds),
        NoSuchTenant: NO_SUCH_TENANT,
        TooManyWatches: TOO_MANY_WATCHES,
        WatchUnavailable: WATCH_UNAVAILABLE,
    }
