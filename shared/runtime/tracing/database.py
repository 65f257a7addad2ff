"""Spans of calls to databases. None holds the text of a query or its parameters."""

import time
from contextlib import AbstractContextManager

from opentelemetry import trace
from opentelemetry.semconv.attributes.db_attributes import (
    DB_COLLECTION_NAME,
    DB_NAMESPACE,
    DB_OPERATION_NAME,
    DB_QUERY_SUMMARY,
    DB_SYSTEM_NAME,
)
from opentelemetry.trace import Span, SpanKind

from shared.runtime.tracing.spans import Attributes, mark_failed, span, tracer


def database_call(system: str, namespace: str, operation: str, collection: str) -> AbstractContextManager[Span]:
    """The span of the call in the block. `system`: as `db.system.name` names it, `namespace`: the database."""
    summary = _summary(operation, collection)
    return span(summary, SpanKind.CLIENT, _attributes(system, namespace, operation, collection))


def note_database_call(
    system: str, namespace: str, operation: str, collection: str | None, seconds: float, error: BaseException | None
) -> None:
    """The span of a call that has just ended, and took so long; within the current span, if its trace is sampled."""
    # Not `is_recording`: the current span may have ended between the call and this report of it.
    if not trace.get_current_span().get_span_context().trace_flags.sampled:
        return
    ended_at = time.time_ns()
    call = tracer.start_span(
        _summary(operation, collection),
        kind=SpanKind.CLIENT,
        attributes=_attributes(system, namespace, operation, collection),
        start_time=ended_at - round(seconds * 1e9),
    )
    if error is not None:
        mark_failed(call, type(error).__name__)
    call.end(ended_at)


def _summary(operation: str, collection: str | None) -> str:
    return operation if collection is None else f"{operation} {collection}"


def _attributes(system: str, namespace: str, operation: str, collection: str | None) -> Attributes:
    attributes: dict[str, str | int] = {
        DB_SYSTEM_NAME: system,
        DB_NAMESPACE: namespace,
        DB_OPERATION_NAME: operation,
        DB_QUERY_SUMMARY: _summary(operation, collection),
    }
    if collection is not None:
        attributes[DB_COLLECTION_NAME] = collection
    return attributes
