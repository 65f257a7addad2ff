"""W3C trace context: the trace of a request continues in the event that it causes and in the consumers of that event."""

from collections.abc import Iterator
from contextlib import contextmanager

from opentelemetry import context, trace
from opentelemetry.sdk.resources import SERVICE_INSTANCE_ID, SERVICE_NAME, Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

_propagator = TraceContextTextMapPropagator()


def configure(*, service: str, instance: str) -> None:
    """Install the process's tracer provider. Spans carry ids; no exporter is attached."""
    resource = Resource.create({SERVICE_NAME: service, SERVICE_INSTANCE_ID: instance})
    trace.set_tracer_provider(TracerProvider(resource=resource))


@contextmanager
def span(name: str, traceparent: str | None = None) -> Iterator[None]:
    """A span around the block; it continues the trace of the W3C `traceparent`, where one is given."""
    parent = _propagator.extract({"traceparent": traceparent}) if traceparent else context.get_current()
    with trace.get_tracer("traffic_manager").start_as_current_span(name, context=parent):
        yield


def traceparent() -> str | None:
    """The current span as a W3C `traceparent` value; None outside of a span."""
    carrier: dict[str, str] = {}
    _propagator.inject(carrier)
    return carrier.get("traceparent")
