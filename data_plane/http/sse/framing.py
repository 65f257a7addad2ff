"""What a watcher is sent, as server-sent events that a person can read as well.

The data of every event is one JSON document; a route or a change has a line of its own in it.
"""

import math
import random
from collections import OrderedDict
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import msgspec

from data_plane.domain.close_reason import CloseReason
from data_plane.domain.remote_clock import PrimaryTime
from data_plane.domain.tenant_reading import TenantReading
from shared.schemas.events import RouteChange, RouteChanged

CONTENT_TYPE = "text/event-stream"
RETRY_MS = (500, 3000)
"""When a client comes back after its stream ended: each at a moment of its own, so that not all come at once."""
ROUTES_AT_ONCE = 500
RENDERED = 128
"""Change sets that are kept as they were sent: all watchers of a tenant are sent the same."""

_NEXT_LINE = b"\ndata: "
_encode = msgspec.json.Encoder().encode


def greeting(tenant: str) -> bytes:
    """The first lines, which every client ignores but for the delay: a person sees that there is something."""
    retry = random.randint(*RETRY_MS)  # noqa: S311 - spreads load, guards nothing
    return f": watching {tenant}\nretry: {retry}\n\n".encode()


def snapshot_event(reading: TenantReading) -> Iterator[bytes]:
    """All routes at one revision, in pieces: one event, however many routes there are."""
    head = {"tenant": reading.tenant, "revision": reading.revision, "as_of": time_text(reading.proven_at)}
    yield _head("snapshot", reading.revision) + _opened(head, "routes")
    for start in range(0, len(reading.routes), ROUTES_AT_ONCE):
        some = reading.routes[start : start + ROUTES_AT_ONCE]
        yield (b"," if start else b"") + _lines(each._asdict() for each in some)
    yield _NEXT_LINE + b"]}\n\n"


def change_event(event: RouteChanged) -> bytes:
    """A change set as it was applied. A route without an active URL has null."""
    head = {
        "tenant": event.tenant,
        "revision": event.revision,
        "occurred_at": event.occurred_at,
        "correlation_id": event.correlation_id,
    }
    body = _opened(head, "changes") + _lines(_change(each) for each in event.changes)
    return _head("change", event.revision) + body + _NEXT_LINE + b"]}\n\n"


def progress_event(revision: int, proven_at: PrimaryTime) -> bytes:
    """Nothing has happened: every change acknowledged before `proven_at` was sent. No id: it can not be gone on from."""
    return b"event: progress\ndata: " + _encode({"revision": revision, "as_of": time_text(proven_at)}) + b"\n\n"


def end_event(ending: CloseReason) -> bytes:
    """The last event of a stream that the client has not left."""
    return b"event: end\ndata: " + _encode({"reason": ending}) + b"\n\n"


def time_text(moment: PrimaryTime) -> str | None:
    """POSIX seconds as RFC 3339 in milliseconds, rounded down; None for a time that is not known."""
    if not math.isfinite(moment):
        return None
    return datetime.fromtimestamp(moment, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


class ChangeEventCache:
    """The change events rendered last."""

    def __init__(self) -> None:
        self._kept: OrderedDict[UUID, bytes] = OrderedDict()

    def of(self, event: RouteChanged) -> bytes:
        """The event as bytes, rendered once for all who watch."""
        rendered = self._kept.get(event.event_id)
        if rendered is None:
            rendered = self._kept[event.event_id] = change_event(event)
            if len(self._kept) > RENDERED:
                self._kept.popitem(last=False)
        return rendered


def _head(name: str, revision: int) -> bytes:
    return f"event: {name}\nid: {revision}\ndata: ".encode()


def _opened(values: dict[str, Any], list_name: str) -> bytes:
    """The object, open at its end for a list under that name."""
    return _encode(values)[:-1] + f',"{list_name}":['.encode()


def _lines(values: Iterable[dict[str, Any]]) -> bytes:
    return b",".join(_NEXT_LINE + _encode(each) for each in values)


def _change(change: RouteChange) -> dict[str, Any]:
    return {
        "action": change.action,
        "service": change.service,
        "env": change.env,
        "version": change.version,
        "url": change.url if change.is_active else None,
    }
