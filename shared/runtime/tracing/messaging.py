"""Spans of records on their way through Kafka. Batches link to the spans that created their records.

A link, not a parent: a batch has the records of many traces. A batch without a record of a sampled trace has no span.
"""

from collections.abc import Iterable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from typing import Literal

from opentelemetry.semconv._incubating.attributes.messaging_attributes import (
    MESSAGING_BATCH_MESSAGE_COUNT,
    MESSAGING_CONSUMER_GROUP_NAME,
    MESSAGING_DESTINATION_NAME,
    MESSAGING_DESTINATION_PARTITION_ID,
    MESSAGING_KAFKA_OFFSET,
    MESSAGING_OPERATION_NAME,
    MESSAGING_OPERATION_TYPE,
    MESSAGING_SYSTEM,
)
from opentelemetry.trace import INVALID_SPAN, Link, Span, SpanKind

from shared.runtime.tracing.sampling import chosen
from shared.runtime.tracing.spans import span
from shared.runtime.tracing.trace_context import sampled_context

MAX_LINKS = 128
"""Links of one span, as OpenTelemetry limits them."""

_KINDS = {"send": SpanKind.CLIENT, "process": SpanKind.CONSUMER}


@dataclass(frozen=True, slots=True)
class TracedRecord:
    """The trace of one record, and its position in Kafka where that is known."""

    traceparent: bytes | str | None
    partition: int | None = None
    offset: int | None = None


def creating(topic: str) -> AbstractContextManager[Span]:
    """The span in which a record is created: its `traceparent` is the record's."""
    return span(f"create {topic}", SpanKind.PRODUCER, _attributes("create", topic))


@contextmanager
def batch_span(
    operation: Literal["send", "process"],
    topic: str,
    records: Iterable[TracedRecord],
    message_count: int,
    *,
    group: str | None = None,
) -> Iterator[Span]:
    """The span of a batch with `message_count` records, linked to the first MAX_LINKS of them whose trace is sampled.

    `group`: the consumer group, where there is one.
    """
    links = _links(records)
    if not links:
        yield INVALID_SPAN
        return
    attributes = {**_attributes(operation, topic), MESSAGING_BATCH_MESSAGE_COUNT: message_count}
    if group is not None:
        attributes[MESSAGING_CONSUMER_GROUP_NAME] = group
    with span(f"{operation} {topic}", _KINDS[operation], attributes, parent=chosen(), links=links) as opened:
        yield opened


def note_positions(batch: Span, positions: Sequence[tuple[int, int]]) -> None:
    """Add the partition and offset of a batch that was sent to one partition; the offset only of a single record."""
    if not batch.is_recording() or len({partition for partition, _ in positions}) != 1:
        return
    batch.set_attribute(MESSAGING_DESTINATION_PARTITION_ID, str(positions[0][0]))
    if len(positions) == 1:
        batch.set_attribute(MESSAGING_KAFKA_OFFSET, positions[0][1])


def _attributes(operation: str, topic: str) -> dict[str, str | int]:
    return {
        MESSAGING_SYSTEM: "kafka",
        MESSAGING_OPERATION_NAME: operation,
        MESSAGING_OPERATION_TYPE: operation,
        MESSAGING_DESTINATION_NAME: topic,
    }


def _links(records: Iterable[TracedRecord]) -> list[Link]:
    links: list[Link] = []
    for each in records:
        created_by = sampled_context(each.traceparent)
        if created_by is not None:
            links.append(Link(created_by, _position(each)))
            if len(links) == MAX_LINKS:
                break
    return links


def _position(record: TracedRecord) -> dict[str, str | int]:
    if record.partition is None or record.offset is None:
        return {}
    return {MESSAGING_DESTINATION_PARTITION_ID: str(record.partition), MESSAGING_KAFKA_OFFSET: record.offset}
