"""Liveness, readiness and metrics: public, and without tenants' data."""

from typing import Literal

import msgspec
from litestar import Response, get
from litestar.handlers import HTTPRouteHandler
from litestar.openapi import ResponseSpec

from shared.runtime.health import Health
from shared.runtime.http.openapi.security import PUBLIC
from shared.runtime.metrics import CONTENT_TYPE, Metrics


class Dependency(msgspec.Struct):
    """The state of one dependency. The service is not ready while a `required` one is down."""

    state: Literal["up", "down", "unknown"]
    required: bool
    detail: str


class Readiness(msgspec.Struct):
    """Whether to send traffic to this process, and why."""

    status: str
    dependencies: dict[str, Dependency]
    notes: dict[str, str]


class Liveness(msgspec.Struct):
    """The process runs."""

    status: Literal["alive"] = "alive"


_STATES: dict[bool | None, Literal["up", "down", "unknown"]] = {True: "up", False: "down", None: "unknown"}


def probe_handlers(health: Health, metrics: Metrics) -> list[HTTPRouteHandler]:
    """The handlers of /health/live, /health/ready and /metrics."""

    @get(
        "/health/live",
        sync_to_thread=False,
        security=PUBLIC,
        tags=["Health"],
        summary="Liveness: the process runs (checks nothing else)",
    )
    def live() -> Liveness:
        return Liveness()

    @get(
        "/health/ready",
        sync_to_thread=False,
        security=PUBLIC,
        tags=["Health"],
        summary="Readiness: whether to send traffic to this process, and why",
        responses={503: ResponseSpec(Readiness, description="Not ready", generate_examples=False)},
    )
    def ready() -> Response[Readiness]:
        dependencies = {
            name: Dependency(_STATES[each.up], each.required, each.detail) for name, each in health.dependencies.items()
        }
        body = Readiness(health.status(), dependencies, health.notes)
        return Response(body, status_code=200 if health.is_ready() else 503)

    ready_gauge, draining_gauge = metrics.gauge("tm_ready"), metrics.gauge("tm_draining")
    metrics.before_scrape(lambda: ready_gauge.set(health.is_ready()))
    metrics.before_scrape(lambda: draining_gauge.set(health.draining))

    @get(
        "/metrics",
        sync_to_thread=False,
        security=PUBLIC,
        tags=["Health"],
        summary="Prometheus metrics",
        media_type=CONTENT_TYPE,
    )
    def exposition() -> bytes:
        return metrics.exposition()

    return [live, ready, exposition]
