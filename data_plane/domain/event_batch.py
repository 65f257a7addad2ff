"""Events that were received together."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from shared.runtime.tracing.messaging import TracedRecord
from shared.schemas.events import ChangesWithheld, Heartbeat, RouteChanged


@dataclass(frozen=True, slots=True)
class EventBatch:
    """Events in the order of their partitions, and the stream's position after them."""

    changes: Sequence[RouteChanged] = ()
    next_offsets: Mapping[int, int] = field(default_factory=dict)
    """By partition: the offset after the last record of the batch, including those that could not be decoded."""
    heartbeats: Mapping[int, Sequence[Heartbeat]] = field(default_factory=dict)
    """By partition, in order."""
    withheld: Sequence[ChangesWithheld] = ()
    """Markers of change sets that Kafka refused; each tenant's routes are to be loaded again."""
    traced: Sequence[TracedRecord] = ()
    """The records that belong to a trace."""
