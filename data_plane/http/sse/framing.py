"""The events of a watch in the format of server-sent events, which people can read too.

The data of every event is one JSON document with one line per route or change.
"""

import math
import random
from collections.abc import AsyncIterator, Iterable
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import msgspec
from cachetools import FIFOCache

from data_plane.domain.active_value import ActiveValue, attributes_of
from data_plane.domain.close_reason import CloseReason
from data_plane.domain.remote_clock import PrimaryTime
from data_plane.domain.tenant_reading import ActiveRoute, TenantReading
from shared.schemas.events import RouteChange, RouteChanged

CONTENT_TYPE = "text/event-stream"
RETRY_MS = (500, 3000)
"""Range of the delay before a client reconnects, random so that the clients of a stopped instance do not all return at once."""
ROUTES_PER_CHUNK = 200
MAX_CACHED_EVENT_BYTES = 32 * 1024 * 1024
"""More than any single event has: an event on Kafka has at most 4 MiB."""

_NEXT_LINE = b"\ndata: "
_encode = msgspec.json.Encoder().encode


def greeting(tenant: str) -> bytes:
    """A comment, which shows people that the watch is open, and the reconnection delay."""
    retry_ms = random.randint(*RETRY_MS)  # noqa: S311 - spreads load, guards nothing
    return f": watching {tenant}\nretry: {retry_ms}\n\n".encode()


async def snapshot_event(reading: TenantReading) -> AsyncIterator[bytes]:
    """One event with all routes at one revision, in chunks."""
    head = {"tenant": reading.tenant, "revision": reading.revision, "as_of": time_text(reading.proven_at)}
    yield _event_head("snapshot", reading.revision) + _object_with_list(head, "routes")
    separator = b""
    async for routes in reading.slices:
        for start in range(0, len(routes), ROUTES_PER_CHUNK):
            yield separator + _lines(_route(route) for route in routes[start : start + ROUTES_PER_CHUNK])
            separator = b","
    yield _NEXT_LINE + b"]}\n\n"


def change_event(event: RouteChanged) -> bytes:
    """A change set as it was applied. The value of a route that is no longer active is null."""
    head = {
        "tenant": event.tenant,
        "revision": event.revision,
        "occurred_at": event.occurred_at,
        "correlation_id": event.correlation_id,
    }
    body = _object_with_list(head, "changes") + _lines(_change(change) for change in event.changes)
    return _event_head("change", event.revision) + body + _NEXT_LINE + b"]}\n\n"


def progress_event(revision: int, proven_at: PrimaryTime) -> bytes:
    """Every change acknowledged before `proven_at` was sent. Without an id: a client resumes from a change or snapshot."""
    return b"event: progress\ndata: " + _encode({"revision": revision, "as_of": time_text(proven_at)}) + b"\n\n"


def end_event(reason: CloseReason) -> bytes:
    """The last event of a stream that the instance ends."""
    return b"event: end\ndata: " + _encode({"reason": reason}) + b"\n\n"


def time_text(moment: PrimaryTime) -> str | None:
    """RFC 3339 in milliseconds, rounded down; None for an unknown (infinite) time."""
    if not math.isfinite(moment):
        return None
    return datetime.fromtimestamp(moment, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


class ChangeEventCache:
    """The last encoded change events, so that one event is encoded once for all watches of a tenant."""

    def __init__(self, max_bytes: int = MAX_CACHED_EVENT_BYTES) -> None:
        self._encoded: FIFOCache[UUID, bytes] = FIFOCache(max_bytes, getsizeof=len)

    @property
    def size(self) -> int:
        """Bytes of the cached events."""
        return int(self._encoded.currsize)

    def encode(self, event: RouteChanged) -> bytes:
        encoded = self._encoded.get(event.event_id)
        if encoded is None:
            encoded = change_event(event)
            if len(encoded) <= self._encoded.maxsize:
                self._encoded[event.event_id] = encoded
        return encoded


def _event_head(name: str, revision: int) -> bytes:
    return f"event: {name}\nid: {revision}\ndata: ".encode()


def _object_with_list(values: dict[str, Any], list_name: str) -> bytes:
    """The JSON object without its end: a list under that name has been opened."""
    return _encode(values)[:-1] + f',"{list_name}":['.encode()


def _lines(values: Iterable[dict[str, Any]]) -> bytes:
    return b",".join(_NEXT_LINE + _encode(value) for value in values)


def _route(route: ActiveRoute) -> dict[str, Any]:
    return {
        "service": route.service,
        "env": route.env,
        "version": route.version,
        **attributes_of(route.value),
        "revision": route.revision,
    }


def _change(change: RouteChange) -> dict[str, Any]:
    return {
        "action": change.action,
        "service": change.service,
        "env": change.env,
        "version": change.version,
        **attributes_of(ActiveValue.of(change.value)),
    }
