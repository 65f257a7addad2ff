"""Spans of calls to databases. None holds the text of a query or its parameters."""

from contextlib import AbstractContextManager

from opentelemetry.semconv.attributes.db_attributes import (
    DB_COLLECTION_NAME,
    DB_NAMESPACE,
    DB_OPERATION_NAME,
    DB_QUERY_SUMMARY,
    DB_SYSTEM_NAME,
)
from opentelemetry.trace import Span, SpanKind

from shared.runtime.tracing.spans import span


def database_call(system: str, namespace: str, operation: str, collection: str | None) -> AbstractContextManager[Span]:
    """The span of the call in the block. `system`: as `db.system.name` names it, `namespace`: the database."""
    summary = operation if collection is None else f"{operation} {collection}"
    attributes: dict[str, str | int] = {
        DB_SYSTEM_NAME: system,
        DB_NAMESPACE: namespace,
        DB_OPERATION_NAME: operation,
        DB_QUERY_SUMMARY: summary,
    }
    if collection is not None:
        attributes[DB_COLLECTION_NAME] = collection
    return span(summary, SpanKind.CLIENT, attributes)
