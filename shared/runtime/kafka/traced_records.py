"""The traces that records from Kafka belong to."""

from collections.abc import Iterable, Sequence
from typing import Any

from shared.runtime.tracing.messaging import TracedRecord
from shared.schemas.events import TRACEPARENT_HEADER


def traced_records(records: Iterable[Any]) -> Sequence[TracedRecord]:
    """Those of aiokafka's records that carry a `traceparent`; of a repeated one, the first."""
    return [
        TracedRecord(traceparent, record.partition, record.offset)
        for record in records
        if (traceparent := _traceparent(record.headers))
    ]


def _traceparent(headers: Iterable[tuple[str, bytes | None]]) -> bytes | None:
    return next((value for name, value in headers if name == TRACEPARENT_HEADER), None)
