"""The Litestar application that every service is built on."""

import asyncio
import logging
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager, nullcontext
from functools import partial

import structlog
from litestar import Litestar
from litestar.openapi import OpenAPIConfig
from litestar.types import ASGIApp, ControllerRouterHandler

from shared.runtime.access.authenticator import Authenticator
from shared.runtime.background import in_background
from shared.runtime.health import Health
from shared.runtime.http.authentication import (
    ACCESS_PROBLEM_TYPES,
    AuthenticationMiddleware,
    MakeNotFound,
    access_guard,
    no_such_path,
)
from shared.runtime.http.deprecation import (
    DEPRECATIONS,
    DeprecationMiddleware,
    Deprecations,
    document_deprecations,
)
from shared.runtime.http.methods import AllowMiddleware, HeadMiddleware
from shared.runtime.http.open_connections import SAMPLE_SECONDS, sample_open_connections
from shared.runtime.http.openapi.documents import JsonDocument, YamlDocument
from shared.runtime.http.openapi.examples import refine_examples
from shared.runtime.http.openapi.page import DocumentationPage, documentation_router
from shared.runtime.http.openapi.problems import document_common_problems
from shared.runtime.http.openapi.response_headers import document_response_headers
from shared.runtime.http.openapi.security import SECURITY, SECURITY_SCHEMES, AccessDocumentation
from shared.runtime.http.probes import probe_handlers
from shared.runtime.http.problems import MAX_BODY_BYTES, ProblemHandlers, ProblemType
from shared.runtime.http.request_limits import RequestLimits, RequestLimitsMiddleware
from shared.runtime.http.request_syntax import RequestSyntaxMiddleware
from shared.runtime.http.telemetry import TelemetryMiddleware
from shared.runtime.logs import CountingHandler
from shared.runtime.metrics import Metrics
from shared.runtime.tracing.setup import exporting
from shared.runtime.version import PublicVersion
from shared.runtime.worker_signals import obeying_parent

_SAMPLE_SECONDS = 1.0

_log = structlog.get_logger(__name__)
Handler = ControllerRouterHandler
Lifespan = Callable[[], AbstractAsyncContextManager[None]]


def build_application(
    *,
    title: str,
    description: str,
    handlers: Sequence[ControllerRouterHandler],
    problem_types: Mapping[type[Exception], ProblemType],
    health: Health,
    metrics: Metrics,
    authenticator: Authenticator,
    make_not_found: MakeNotFound = no_such_path,
    lifespan: Lifespan | None = None,
    limits: RequestLimits | None = None,
    write_problem_types: Sequence[ProblemType] = (),
    public_version: PublicVersion = PublicVersion.OFF,
    revision: str = "unknown",
    deprecations: Deprecations = DEPRECATIONS,
) -> TelemetryMiddleware:
    """A service's ASGI application: its handlers, the probes, OpenAPI under /schema, and problem details for every error.

    Every handler names its operation (`opt={"operation": …}`), by which callers are authorized. `problem_types`: by
    exception type. `make_not_found`: makes the error for another tenant's resources, the same as when they do not
    exist. `lifespan` opens the service's resources in order and closes them in reverse. `write_problem_types`: the
    problems that any write can have, for the OpenAPI document. `public_version`: where strangers read the release;
    `revision`: its commit.
    """
    limits = limits or RequestLimits()
    document = JsonDocument()
    litestar = Litestar(
        route_handlers=[*handlers, *probe_handlers(health, metrics)],
        exception_handlers=ProblemHandlers({**ACCESS_PROBLEM_TYPES, **problem_types}).as_map(),
        guards=[access_guard(make_not_found, metrics)],
        plugins=[AccessDocumentation()],
        openapi_config=OpenAPIConfig(
            title=title,
            version=public_version.of_document,
            description=description,
            use_handler_docstrings=True,
            components=SECURITY_SCHEMES,
            security=SECURITY,
            openapi_router=documentation_router(),
            render_plugins=[DocumentationPage(), document, YamlDocument(document)],
        ),
        lifespan=[lambda _: _serving(health, metrics, lifespan or nullcontext, limits.http_port)],
        request_max_body_size=MAX_BODY_BYTES,
        logging_config=None,
    )
    document_common_problems(litestar.openapi_schema, write_problem_types)
    document_response_headers(litestar)
    refine_examples(litestar.openapi_schema)
    document_deprecations(litestar.openapi_schema, deprecations)
    metrics.show_build(public_version, revision)
    routed: ASGIApp = AllowMiddleware(litestar)
    if deprecations:
        routed = DeprecationMiddleware(routed, deprecations)
    authenticated = AuthenticationMiddleware(HeadMiddleware(routed), authenticator)
    limited = RequestLimitsMiddleware(RequestSyntaxMiddleware(authenticated), limits, metrics)
    return TelemetryMiddleware(limited, health=health, metrics=metrics, server=public_version.server)


@asynccontextmanager
async def _serving(health: Health, metrics: Metrics, lifespan: Lifespan, port: int | None) -> AsyncIterator[None]:
    log_counter = CountingHandler(metrics.counter("tm_log_records_total"))
    logging.getLogger().addHandler(log_counter)
    try:
        async with AsyncExitStack() as opened:
            # Closes last: everything else ends spans while it closes.
            await opened.enter_async_context(exporting(metrics))
            await opened.enter_async_context(obeying_parent(partial(_drain, health)))
            await opened.enter_async_context(in_background(partial(_sample, metrics), "event loop and gauge sampling"))
            if port is not None:
                sample = partial(sample_open_connections, port, metrics)
                await opened.enter_async_context(
                    in_background(sample, "open connections", every_seconds=SAMPLE_SECONDS)
                )
            await opened.enter_async_context(lifespan())
            health.started = True
            _log.info("serving")
            yield
            health.drain()
    finally:
        logging.getLogger().removeHandler(log_counter)
        _log.info("stopped")


def _drain(health: Health) -> None:
    health.drain()
    _log.info("draining")


async def _sample(metrics: Metrics) -> None:
    """Measure the event loop's lag over _SAMPLE_SECONDS, then refresh the gauges that are computed."""
    loop = asyncio.get_running_loop()
    due = loop.time() + _SAMPLE_SECONDS
    await asyncio.sleep(_SAMPLE_SECONDS)
    metrics.histogram("tm_event_loop_lag_seconds").observe(max(0.0, loop.time() - due))
    metrics.refresh()
