"""Spans of L1 hits. A span costs more than a hit, so few hits have one, however many their callers sample."""

import math
import random
from typing import Any

from opentelemetry.context import Context
from opentelemetry.semconv.attributes.http_attributes import (
    HTTP_REQUEST_METHOD,
    HTTP_RESPONSE_STATUS_CODE,
    HTTP_ROUTE,
)
from opentelemetry.semconv.attributes.url_attributes import URL_SCHEME
from opentelemetry.trace import Span, SpanKind, get_current_span

from data_plane.http.fast_path.paths import TEMPLATE
from data_plane.http.resolve import CACHE_LAYER
from shared.runtime.clock import LocalTime
from shared.runtime.http.request_span import parent_of
from shared.runtime.tracing.otel_settings import OtelSettings
from shared.runtime.tracing.sampling import chosen, root_ratio
from shared.runtime.tracing.spans import tracer
from shared.runtime.tracing.trace_context import may_be_sampled

HIT_RATIO = 0.001
"""Share of the hits without a caller's trace that have a span; less where the sampler's ratio is lower."""
MAX_CALLER_SPANS_PER_SECOND = 100
"""Spans of hits whose callers sample their trace, per process: no caller can slow the others down with its sampling."""

_NAME = f"GET {TEMPLATE}"
_ATTRIBUTES = {HTTP_REQUEST_METHOD: "GET", HTTP_ROUTE: TEMPLATE, CACHE_LAYER: "l1"}


class HitSpans:
    """Chooses the hits that have a span.

    The fast path counts `hits_until_next` down itself, one for each hit, and calls `begin` when it has reached 0: no other
    hit costs more than that.
    """

    def __init__(self, settings: OtelSettings) -> None:
        self._exports = settings.exports
        self._ratio = min(HIT_RATIO, root_ratio(settings))
        self.hits_until_next = self._draw()
        self._hits_until_drawn: float | None = None
        self._second, self._in_second = 0, 0

    def note_caller(self, traceparent: bytes | None) -> None:
        """If the caller of the request at hand samples its trace, let `begin` decide on the next hit, which may be this one."""
        if self._exports and self._hits_until_drawn is None and may_be_sampled(traceparent):
            self._hits_until_drawn, self.hits_until_next = self.hits_until_next, 0

    def begin(self, request: Any, now: LocalTime) -> Span | None:
        """The span of this hit, begun; None if it has none."""
        hits_until_drawn, self._hits_until_drawn = self._hits_until_drawn, None
        is_drawn = hits_until_drawn is None
        self.hits_until_next = self._draw() if hits_until_drawn is None else hits_until_drawn
        if not is_drawn and self._is_at_limit(now):  # before parsing anything: the caller may do this with each request
            return None
        caller = parent_of(request["headers"])
        named = get_current_span(caller).get_span_context()
        if named.trace_flags.sampled:
            self._in_second += 1
            return self._start(caller, request)
        # Not for a caller that has decided against a sample.
        return self._start(chosen(), request) if is_drawn and not named.is_valid else None

    def _start(self, parent: Context, request: Any) -> Span:
        attributes = {**_ATTRIBUTES, URL_SCHEME: request["scheme"]}
        return tracer.start_span(_NAME, parent, SpanKind.SERVER, attributes)

    def _is_at_limit(self, now: LocalTime) -> bool:
        if int(now) != self._second:
            self._second, self._in_second = int(now), 0
        return self._in_second >= MAX_CALLER_SPANS_PER_SECOND

    def _draw(self) -> float:
        # Exponential: independent of what was drawn or left before, as if every hit were drawn by itself.
        return random.expovariate(self._ratio) if self._ratio else math.inf


def end_span(hit: Span, status: int) -> None:
    """End the span of a hit that was answered with this status."""
    hit.set_attribute(HTTP_RESPONSE_STATUS_CODE, status)
    hit.end()
