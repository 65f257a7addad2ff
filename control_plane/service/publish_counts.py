"""What the relay did, in numbers."""

from collections.abc import Sequence

from control_plane.domain.outbox import Acknowledged
from control_plane.errors import NotPublished
from shared.runtime.metrics import Metrics
from shared.schemas.topics import ROUTE_EVENTS


class PublishCounts:
    """The `tm_outbox_…` metrics of publishing."""

    def __init__(self, metrics: Metrics) -> None:
        self._published = metrics.counter("tm_outbox_published_total")
        self._failures = metrics.counter("tm_outbox_publish_failures_total")
        self._delay = metrics.histogram("tm_outbox_publish_delay_seconds")

    def count_published(self, acknowledged: Sequence[Acknowledged], delays: Sequence[tuple[str, float]]) -> None:
        """`delays`: topics, and seconds from commit to acknowledged."""
        for each in acknowledged:
            self._published.labels(each.record.topic).inc()
        for topic, delay in delays:
            self._delay.labels(topic).observe(delay)

    def count_failure(self, failure: NotPublished) -> None:
        self._failures.labels(ROUTE_EVENTS.name, failure.reason).inc()
