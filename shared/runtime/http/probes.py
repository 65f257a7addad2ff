"""Liveness, readiness and metrics: public, and without tenants' data."""

from typing import Any, Literal

import msgspec
from litestar import Response, get
from litestar.handlers import HTTPRouteHandler
from litestar.openapi import ResponseSpec
from litestar.openapi.spec import Example

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


_EXPOSITION = "# HELP tm_ready 1 while the service is ready\n# TYPE tm_ready gauge\ntm_ready 1.0\n"


_READY = Readiness("ready", {"postgres": Dependency("up", required=True, detail="answering")}, notes={})
_UNREADY = Readiness("unready", {"postgres": Dependency("down", True, "not answering; the log says why")}, notes={})


def _documented(kind: type[Any], description: str, example: Any, media_type: str = "application/json") -> ResponseSpec:
    examples = [Example(id="example", summary=description, value=msgspec.to_builtins(example))]
    return ResponseSpec(
        kind, description=description, media_type=media_type, generate_examples=False, examples=examples
    )


def probe_handlers(health: Health, metrics: Metrics) -> list[HTTPRouteHandler]:
    """The handlers of /health/live, /health/ready and /metrics."""

    @get(
        "/health/live",
        sync_to_thread=False,
        security=PUBLIC,
        tags=["Health"],
        summary="Liveness: the process runs (checks nothing else)",
        responses={200: _documented(Liveness, "The process runs", Liveness())},
    )
    def live() -> Liveness:
        """For a liveness probe. It depends on nothing, so that a failing database restarts no process."""
        return Liveness()

    @get(
        "/health/ready",
        sync_to_thread=False,
        security=PUBLIC,
        tags=["Health"],
        summary="Readiness: whether to send traffic to this process, and why",
        responses={
            200: _documented(Readiness, "Ready", _READY),
            503: _documented(Readiness, "Not ready", _UNREADY),
        },
    )
    def ready() -> Response[Readiness]:
        """For a readiness probe. Names each dependency and its state; addresses and reasons are in the log only."""
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
        responses={200: _documented(str, "The metrics", _EXPOSITION, CONTENT_TYPE)},
    )
    def exposition() -> bytes:
        """In the text format. No label holds a tenant, a route or a subject."""
        return metrics.exposition()

    return [live, ready, exposition]
