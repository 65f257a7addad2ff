"""What every service's Litestar application has in common."""

import asyncio
import contextlib
import logging
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager

import structlog
from litestar import Litestar
from litestar.openapi import OpenAPIConfig
from litestar.openapi.plugins import JsonRenderPlugin, ScalarRenderPlugin, YamlRenderPlugin
from litestar.types import ControllerRouterHandler

from shared.runtime.access.authenticator import Authenticator
from shared.runtime.health import DRAIN_SIGNAL, Health
from shared.runtime.http.authentication import (
    ACCESS_PROBLEM_TYPES,
    AuthenticationMiddleware,
    MakeNotFound,
    access_guard,
    no_such_path,
)
from shared.runtime.http.openapi.problems import document_common_problems
from shared.runtime.http.openapi.response_headers import document_response_headers
from shared.runtime.http.openapi.security import SECURITY, SECURITY_SCHEMES, AccessDocumentation
from shared.runtime.http.options_allow import CompleteAllow
from shared.runtime.http.probes import probes
from shared.runtime.http.problems import MAX_BODY_BYTES, ProblemHandlers, ProblemType
from shared.runtime.http.request_limits import RequestLimits, RequestLimitsMiddleware
from shared.runtime.http.telemetry import TelemetryMiddleware
from shared.runtime.logs import CountingHandler
from shared.runtime.metrics import Metrics
from shared.runtime.version import VERSION

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
) -> TelemetryMiddleware:
    """A service's ASGI application: its handlers, the probes, OpenAPI under /schema, problems for every error.

    Every handler names its operation (`opt={"operation": …}`), by which callers are let in. `absent` makes the error
    for another tenant's things: the one there is when they do not exist. `bounds` are what one request may cost,
    `refusals_of_writes` what any write can be answered with. `lifespan` opens what the service needs, in order, and
    closes it in reverse.
    """
    litestar = Litestar(
        route_handlers=[*handlers, *probes(health, metrics)],
        exception_handlers=ProblemHandlers({**ACCESS_PROBLEM_TYPES, **problem_types}).as_map(),
        guards=[access_guard(make_not_found, metrics)],
        plugins=[AccessDocumentation()],
        openapi_config=OpenAPIConfig(
            title=title,
            version=VERSION,
            description=description,
            use_handler_docstrings=True,
            components=SECURITY_SCHEMES,
            security=SECURITY,
            render_plugins=[ScalarRenderPlugin(), JsonRenderPlugin(), YamlRenderPlugin()],
        ),
        lifespan=[lambda _: _serving(health, metrics, lifespan or _nothing)],
        request_max_body_size=MAX_BODY_BYTES,
        logging_config=None,
    )
    document_common_problems(litestar.openapi_schema, write_problem_types)
    document_response_headers(litestar)
    admitted = AuthenticationMiddleware(CompleteAllow(litestar), authenticator)
    return TelemetryMiddleware(
        RequestLimitsMiddleware(admitted, limits or RequestLimits(), metrics), health=health, metrics=metrics
    )


@asynccontextmanager
async def _nothing() -> AsyncIterator[None]:
    yield


@asynccontextmanager
async def _serving(health: Health, metrics: Metrics, lifespan: Lifespan) -> AsyncIterator[None]:
    asyncio.get_running_loop().add_signal_handler(DRAIN_SIGNAL, _drain, health)
    counting = CountingHandler(metrics.counter("tm_log_records_total"))
    logging.getLogger().addHandler(counting)
    sampling = asyncio.create_task(_sample(metrics))
    try:
        async with lifespan():
            health.started = True
            _log.info("serving")
            yield
            health.drain()
    finally:
        sampling.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await sampling
        logging.getLogger().removeHandler(counting)
        _log.info("stopped")


def _drain(health: Health) -> None:
    health.drain()
    _log.info("draining")


async def _sample(metrics: Metrics, every: float = 1.0) -> None:
    """Measure the event loop's lag, and keep the computed gauges of this worker fresh."""
    lag = metrics.histogram("tm_event_loop_lag_seconds")
    loop = asyncio.get_running_loop()
    while True:
        due = loop.time() + every
        await asyncio.sleep(every)
        lag.observe(max(0.0, loop.time() - due))
        metrics.refresh()
