"""W3C trace contexts: the trace that a request or a record belongs to."""

from opentelemetry import context, trace
from opentelemetry.trace import SpanContext
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

MAX_TRACEPARENT = 256
"""Characters of a `traceparent`; version 00 has 55, and a later one may append to them."""
MAX_TRACESTATE = 512
"""Characters of a `tracestate`. A longer one is dropped as a whole (W3C Trace Context, 3.3.1.5)."""

_LAST_FLAG = 54
"""Index of the digit with the flag "sampled", in every version."""
_SAMPLED = frozenset(b"13579bdf")

# Without a propagator for baggage: what callers put there must not spread through events.
_propagator = TraceContextTextMapPropagator()


def caller_context(traceparent: str | None, tracestate: str | None = None) -> context.Context:
    """A context whose current span is the caller's; without one when the `traceparent` is absent or malformed."""
    if not traceparent or len(traceparent) > MAX_TRACEPARENT:
        return context.Context()
    carrier = {"traceparent": traceparent}
    if tracestate and len(tracestate) <= MAX_TRACESTATE:
        carrier["tracestate"] = tracestate
    return _propagator.extract(carrier, context.Context())


def may_be_sampled(traceparent: bytes | None) -> bool:
    """Whether this has the flag "sampled" where a `traceparent` has it. Most have not, and parsing takes 20 times as long."""
    return traceparent is not None and len(traceparent) > _LAST_FLAG and traceparent[_LAST_FLAG] in _SAMPLED


def sampled_context(traceparent: bytes | str | None) -> SpanContext | None:
    """The span that this `traceparent` names, if its trace is sampled; None for any other, or a malformed one."""
    encoded = traceparent.encode("latin-1", "replace") if isinstance(traceparent, str) else traceparent
    if encoded is None or not may_be_sampled(encoded):
        return None
    named = trace.get_current_span(caller_context(encoded.decode("latin-1"))).get_span_context()
    return named if named.is_valid and named.trace_flags.sampled else None


def current_traceparent() -> str | None:
    """The current span as a `traceparent`; None outside of a trace."""
    carrier: dict[str, str] = {}
    _propagator.inject(carrier)
    return carrier.get("traceparent")


def is_sampled() -> bool:
    """Whether the current span's trace is sampled."""
    return trace.get_current_span().get_span_context().trace_flags.sampled


def sampled_ids() -> tuple[str, str] | None:
    """Trace id (32 hexadecimal digits) and span id (16) of the current span, if its trace is sampled."""
    current = trace.get_current_span().get_span_context()
    return (f"{current.trace_id:032x}", f"{current.span_id:016x}") if current.trace_flags.sampled else None


def sampled_trace_id() -> str | None:
    """The trace id of the current span, if its trace is sampled: for exemplars and log lines. Takes about 1 µs."""
    ids = sampled_ids()
    return None if ids is None else ids[0]
