"""The span of a request, in its caller's trace. Requests for health and metrics have none."""

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from functools import partial
from typing import Any

from litestar.types import HTTPScope
from opentelemetry.context import Context
from opentelemetry.semconv.attributes.http_attributes import (
    HTTP_REQUEST_METHOD,
    HTTP_RESPONSE_STATUS_CODE,
    HTTP_ROUTE,
)
from opentelemetry.semconv.attributes.url_attributes import URL_SCHEME
from opentelemetry.trace import Span, SpanKind

from shared.runtime.tracing.spans import mark_failed, span
from shared.runtime.tracing.trace_context import caller_context

METHODS = frozenset({"GET", "HEAD", "PUT", "POST", "DELETE", "PATCH", "OPTIONS"})
CORRELATION_ID = "tm.correlation_id"
_UNTRACED = ("/health/", "/metrics")
_TRACEPARENT, _TRACESTATE = b"traceparent", b"tracestate"


@contextmanager
def request_span(scope: HTTPScope, correlation_id: str) -> Iterator[Callable[[int], None]]:
    """A SERVER span around the block, which passes the response's status to the function that it gets.

    The path is in no attribute: it names tenants, and a caller may have put a credential there. `http.route` has the
    template, and the log lines of the same correlation id have the names.
    """
    if scope["path"].startswith(_UNTRACED):
        yield _ignore
        return
    is_known = scope["method"] in METHODS
    name = scope["method"] if is_known else "HTTP"
    attributes = {
        HTTP_REQUEST_METHOD: name if is_known else "_OTHER",
        URL_SCHEME: scope["scheme"],
        CORRELATION_ID: correlation_id,
    }
    with span(name, SpanKind.SERVER, attributes, parent=parent_of(scope["headers"])) as opened:
        yield partial(_note_response, opened, name, scope)


def parent_of(headers: Iterable[tuple[bytes, bytes]]) -> Context:
    """The caller's trace context, from the header fields of its request; empty when they are malformed or repeated."""
    traceparent: bytes | None = None
    tracestate: list[bytes] = []
    for name, value in headers:
        if name == _TRACEPARENT:
            if traceparent is not None:
                return Context()
            traceparent = value
        elif name == _TRACESTATE:
            tracestate.append(value)
    if traceparent is None:
        return Context()
    return caller_context(traceparent.decode("latin-1"), b",".join(tracestate).decode("latin-1"))


def _note_response(opened: Span, name: str, scope: Any, status: int) -> None:
    if not opened.is_recording():
        return
    template = scope.get("path_template")
    if template:
        opened.update_name(f"{name} {template}")
        opened.set_attribute(HTTP_ROUTE, template)
    opened.set_attribute(HTTP_RESPONSE_STATUS_CODE, status)
    if status >= 500:
        mark_failed(opened, str(status))


def _ignore(_: int) -> None:
    """The request has no span."""
