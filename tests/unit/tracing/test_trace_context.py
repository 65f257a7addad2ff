"""Trace contexts of callers and records: malformed and oversized ones are as good as none."""

import pytest
from opentelemetry import trace

from shared.runtime.http.request_span import parent_of
from shared.runtime.logs import logging_config
from shared.runtime.settings import LogFormat
from shared.runtime.tracing.spans import span
from shared.runtime.tracing.trace_context import (
    caller_context,
    current_traceparent,
    sampled_context,
    sampled_ids,
    sampled_trace_id,
)
from tests.support.recorded_spans import NOT_SAMPLED, SAMPLED, TRACE_ID
from tests.support.recorded_spans import spans as spans

MALFORMED = [
    "",
    "x" * 55,
    SAMPLED[:-1],
    SAMPLED.upper(),
    SAMPLED.replace(TRACE_ID, "0" * 32),
    SAMPLED.replace("b7ad6b7169203331", "0" * 16),
    SAMPLED + "-more",  # version 00 has four fields
    "ff" + SAMPLED[2:],
    "\x00" + SAMPLED[1:],
    SAMPLED + "0" * 100_000,
    "cc" + SAMPLED[2:] + "-" + "x" * 300,  # of a later version, and too long
]


@pytest.mark.parametrize("traceparent", MALFORMED)
def test_malformed_traceparent_names_no_trace(traceparent: str) -> None:
    assert sampled_context(traceparent) is None
    assert not trace.get_current_span(caller_context(traceparent)).get_span_context().is_valid


def test_record_of_a_sampled_trace_is_recognized_by_its_flag() -> None:
    found = sampled_context(SAMPLED.encode())
    assert found is not None
    assert f"{found.trace_id:032x}" == TRACE_ID
    assert sampled_context(NOT_SAMPLED) is None
    assert sampled_context(b"\xff" * 55) is None
    assert sampled_context(None) is None


def test_fields_that_a_later_version_appends_are_ignored() -> None:
    assert sampled_context(f"cc{SAMPLED[2:]}-what-comes-next") is not None


def test_repeated_traceparent_names_no_trace() -> None:
    twice = [(b"traceparent", SAMPLED.encode()), (b"traceparent", SAMPLED.encode())]
    assert not trace.get_current_span(parent_of(twice)).get_span_context().is_valid
    assert trace.get_current_span(parent_of(twice[:1])).get_span_context().is_valid


VENDORS = ",".join(f"vendor-{number:02}={'x' * 11}" for number in range(23)).encode()
"""As many members, each as long, as are accepted: all of them have 505 characters."""


@pytest.mark.parametrize(
    ("tracestate", "members"),
    [(b"a=1,b=2", 2), (VENDORS, 23), (VENDORS + b",a=1234567890", 0), (b"=,;\xff", 0), (b"a=" + b"x" * 20_000, 0)],
)
def test_oversized_or_malformed_tracestate_is_dropped_and_the_trace_kept(tracestate: bytes, members: int) -> None:
    context = parent_of([(b"tracestate", tracestate), (b"traceparent", SAMPLED.encode())])
    found = trace.get_current_span(context).get_span_context()
    assert (f"{found.trace_id:032x}", len(found.trace_state)) == (TRACE_ID, members)


@pytest.mark.usefixtures("spans")
def test_ids_for_logs_and_exemplars_exist_only_within_a_sampled_trace() -> None:
    assert (sampled_ids(), sampled_trace_id(), current_traceparent()) == (None, None, None)
    with span("outer", parent=caller_context(NOT_SAMPLED)):
        assert sampled_trace_id() is None
        assert current_traceparent() is not None
    with span("outer", parent=caller_context(SAMPLED)) as opened:
        assert sampled_ids() == (TRACE_ID, f"{opened.get_span_context().span_id:016x}")
        assert sampled_trace_id() == TRACE_ID


def test_logs_of_the_exporter_are_silent_because_they_hold_its_headers() -> None:
    loggers = logging_config(service="s", instance="i", level="DEBUG", log_format=LogFormat.JSON)["loggers"]
    assert loggers["opentelemetry"] == {"level": "CRITICAL"}
