"""Spans around blocks. Where nothing is exported, each costs about as much as a call.

No span holds an exception's message or stack: they may name URLs, values and credentials. `error.type` says what failed.
"""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import TypeAlias

from opentelemetry import context, trace
from opentelemetry.context import Context
from opentelemetry.semconv.attributes.error_attributes import ERROR_TYPE
from opentelemetry.trace import Link, Span, SpanKind, Status, StatusCode

from shared.runtime.version import VERSION

Attributes: TypeAlias = Mapping[str, str | int]

# Stands for the tracer of the provider that `setup.configure` installs later.
tracer = trace.get_tracer("traffic_manager", VERSION)


@contextmanager
def span(
    name: str,
    kind: SpanKind = SpanKind.INTERNAL,
    attributes: Attributes | None = None,
    *,
    parent: Context | None = None,
    links: Sequence[Link] = (),
) -> Iterator[Span]:
    """A span around the block, in the trace of `parent` (None: of the current span)."""
    opened = tracer.start_span(name, parent, kind, attributes, links)
    # By hand: the library's own context managers, nested, would double the cost of a request that is not sampled.
    token = context.attach(trace.set_span_in_context(opened))
    try:
        yield opened
    except BaseException as error:
        mark_failed(opened, type(error).__name__)
        raise
    finally:
        context.detach(token)
        opened.end()


def mark_failed(failed: Span, error_type: str) -> None:
    """Let the span say that it failed. `error_type`: one of few values, such as a class of exceptions or a status code."""
    if failed.is_recording():
        failed.set_attribute(ERROR_TYPE, error_type)
        failed.set_status(Status(StatusCode.ERROR))


def note(name: str, value: str) -> None:
    """Add an attribute to the current span, if it is recorded."""
    trace.get_current_span().set_attribute(name, value)
