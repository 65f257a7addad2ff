"""Spans of batches: linked to what created their records, and only where that is sampled."""

from collections.abc import Iterator

import pytest
from opentelemetry.trace import SpanKind, StatusCode

from shared.runtime.tracing.messaging import MAX_LINKS, TracedRecord, batch_span, note_positions
from tests.support.recorded_spans import NOT_SAMPLED, SAMPLED, TRACE_ID, RecordedSpans, trace_id_of
from tests.support.recorded_spans import spans as spans


def test_batch_links_to_the_sampled_records_with_their_positions(spans: RecordedSpans) -> None:
    records = [TracedRecord(NOT_SAMPLED.encode(), 3, 7), TracedRecord(SAMPLED.encode(), 3, 8)]
    with batch_span("process", "route-events", records, 5, group="audit-consumer"):
        pass
    span = spans.one("process route-events")
    assert (span.kind, span.parent) == (SpanKind.CONSUMER, None)
    assert trace_id_of(span) != TRACE_ID
    assert span.attributes == {
        "messaging.system": "kafka",
        "messaging.operation.name": "process",
        "messaging.operation.type": "process",
        "messaging.destination.name": "route-events",
        "messaging.batch.message_count": 5,
        "messaging.consumer.group.name": "audit-consumer",
    }
    (link,) = span.links
    assert f"{link.context.trace_id:032x}" == TRACE_ID
    assert link.attributes == {"messaging.destination.partition.id": "3", "messaging.kafka.offset": 8}


@pytest.mark.parametrize("traceparent", [None, b"", NOT_SAMPLED.encode(), b"\xff" * 55, b"1" * 1_000_000])
def test_batch_without_a_sampled_record_has_no_span(spans: RecordedSpans, traceparent: bytes | None) -> None:
    with batch_span("process", "route-events", [TracedRecord(traceparent, 0, 0)], 1) as batch:
        note_positions(batch, [(0, 1)])
    assert spans.all() == ()


def test_links_are_limited_and_later_records_are_not_read(spans: RecordedSpans) -> None:
    def records() -> Iterator[TracedRecord]:
        yield from [TracedRecord(SAMPLED)] * MAX_LINKS
        raise AssertionError("one record too many was read")

    with batch_span("send", "route-events", records(), 500):
        pass
    assert len(spans.one("send route-events").links) == MAX_LINKS


@pytest.mark.parametrize(
    ("positions", "expected"),
    [
        ([(2, 9)], {"messaging.destination.partition.id": "2", "messaging.kafka.offset": 9}),
        ([(2, 9), (2, 10)], {"messaging.destination.partition.id": "2"}),
        ([(2, 9), (3, 9)], {}),
        ([], {}),
    ],
)
def test_sent_batch_names_the_partition_and_offset_that_all_its_records_share(
    spans: RecordedSpans, positions: list[tuple[int, int]], expected: dict[str, object]
) -> None:
    with batch_span("send", "route-events", [TracedRecord(SAMPLED)], len(positions)) as batch:
        note_positions(batch, positions)
    attributes = spans.one("send route-events").attributes or {}
    names = ("messaging.destination.partition.id", "messaging.kafka.offset")
    assert {name: attributes[name] for name in names if name in attributes} == expected


def test_failed_batch_names_the_class_of_the_error_only(spans: RecordedSpans) -> None:
    with pytest.raises(ValueError, match="hidden"), batch_span("send", "route-events", [TracedRecord(SAMPLED)], 1):
        raise ValueError("hidden")
    span = spans.one("send route-events")
    assert span.status.status_code is StatusCode.ERROR
    assert (span.attributes or {})["error.type"] == "ValueError"
    assert "hidden" not in span.to_json()
