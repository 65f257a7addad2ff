"""The Kafka topics, in one table for the services, the local servers and the deployment."""

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

HOUR_MS = 3600 * 1000
DAY_MS = 24 * HOUR_MS
MAX_RECORD_BYTES = 4 * 1024 * 1024
"""Bytes. The largest legal change set (500 changes, long URLs) is about 2.3 MB; brokers and clients have this limit."""
MAX_EVENT_BYTES = MAX_RECORD_BYTES - 16 * 1024
"""Bytes of an encoded event. The rest is for the record's key and headers (below 1 KB) and Kafka's own format."""
DEAD_LETTER_RECORD_BYTES = MAX_RECORD_BYTES + 64 * 1024
"""Bytes. A dead letter is the received record plus headers with the reason, and must fit whenever the record did."""


@dataclass(frozen=True, slots=True)
class Topic:
    """The wanted state of a topic. `configs` has the broker's names and values."""

    name: str
    partitions: int
    configs: Mapping[str, str]


def _topic(name: str, partitions: int, **configs: str | int) -> Topic:
    named = {key.replace("_", "."): str(value) for key, value in configs.items()}
    return Topic(name, partitions, MappingProxyType(named))


ROUTE_EVENTS = _topic(
    "route-events", 8, cleanup_policy="delete", retention_ms=7 * DAY_MS, max_message_bytes=MAX_RECORD_BYTES
)
ROUTE_EVENTS_DLQ = _topic(
    "route-events.dlq", 1, cleanup_policy="delete", retention_ms=30 * DAY_MS, max_message_bytes=DEAD_LETTER_RECORD_BYTES
)
# One partition, so that a reader at its end has read every key.
ACCESS_KEYS = _topic("access-keys", 1, cleanup_policy="compact", max_message_bytes=64 * 1024)

# Small segments, because the newest one is neither compacted nor deleted, and a starting reader reads the whole topic.
RESOLVER_STATUS = _topic(
    "resolver-status", 1, cleanup_policy="compact,delete", retention_ms=HOUR_MS, segment_ms=HOUR_MS // 12
)

# Reports are small and few; a control plane that starts reads those of the last day again.
ACCESS_KEY_USAGE = _topic("access-key-usage", 1, cleanup_policy="delete", retention_ms=DAY_MS)

TOPICS = (ROUTE_EVENTS, ROUTE_EVENTS_DLQ, ACCESS_KEYS, RESOLVER_STATUS, ACCESS_KEY_USAGE)
