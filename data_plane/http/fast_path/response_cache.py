"""Encoded responses of the most used routes, complete except for the headers that differ between requests."""

from collections import deque
from typing import Any, TypeAlias

import msgspec

from data_plane.domain.remote_clock import PrimaryTime
from data_plane.domain.slot import MAX_USES, Slot
from data_plane.http.fast_path.headers import AGE, LENGTH, MAX_AGE, Header
from data_plane.http.fast_path.paths import PREFIX
from data_plane.service.resolve.l1_reader import L1Reader
from shared.runtime.clock import LocalTime

MAX_RESPONSES = 4096
ADMIT_ONE_IN = 16
"""When the cache is full, one of every ADMIT_ONE_IN new paths replaces the oldest. A client that scans many paths would otherwise
replace every response before its next use, at the cost of a replacement per request.
"""


class CachedResponse(msgspec.Struct, gc=False, eq=False):
    """The encoded response of one active route.

    Callers must check before each use that it is before `valid_until`, that `changes` equals `L1Reader.changes()`, and that
    `slot.uses` is MAX_USES: lower uses have to be counted by a look-up, and an evicted slot has none.
    """

    slot: Slot
    body: dict[str, Any]
    length: Header
    etag: Header
    cache_control: Header
    age: Header
    valid_until: float
    changes: int
    proven_at: PrimaryTime | None

    @classmethod
    def of(cls, route: bytes, slot: Slot, l1_reader: L1Reader, now: LocalTime) -> "CachedResponse":
        """The response as of now. It is valid until `max-age` or `Age`, both in whole seconds, changes."""
        parts = route.split(b"/")
        body = slot.body(parts)
        remaining, age = int(slot.expires_at - now), int(now - slot.read_at) if now > slot.read_at else 0
        max_age_changes_at, age_changes_at = slot.expires_at - remaining, slot.read_at + age + 1
        return cls(
            slot,
            {"type": "http.response.body", "body": body, "more_body": False},
            LENGTH[len(body)],
            (b"etag", b'"%d"' % slot.revision),
            MAX_AGE[remaining],
            AGE[age],
            max_age_changes_at if max_age_changes_at < age_changes_at else age_changes_at,
            l1_reader.changes(),
            l1_reader.proven_at(slot, parts[0].decode()),
        )


ResponsesByPath: TypeAlias = dict[bytes, CachedResponse]


class ResponseCache:
    """Responses by request path, separate for each tenant of callers.

    Separate, because otherwise the time of a request would reveal whether another tenant's route is cached.
    """

    def __init__(self, l1_reader: L1Reader) -> None:
        self._l1_reader = l1_reader
        self._by_tenant: dict[str | None, ResponsesByPath] = {}
        self._oldest_first: deque[tuple[ResponsesByPath, bytes]] = deque()
        self._refused = 0

    def of_tenant(self, tenant: str | None) -> ResponsesByPath:
        """The responses for callers of the tenant, or (None) of all tenants. The same object each time."""
        return self._by_tenant.setdefault(tenant, {})

    def renew(self, responses: ResponsesByPath, path: bytes, slot: Slot, now: LocalTime) -> CachedResponse:
        """The response of the slot, encoded anew, and cached among `responses` if the slot has the most uses that are counted."""
        response = CachedResponse.of(path[len(PREFIX) :], slot, self._l1_reader, now)
        if slot.uses == MAX_USES and (path in responses or self._admit(responses, path)):
            responses[path] = response
        return response

    def _admit(self, responses: ResponsesByPath, path: bytes) -> bool:
        """Whether the new path may be cached; the oldest is removed for it when the cache is full."""
        if len(self._oldest_first) >= MAX_RESPONSES:
            self._refused += 1
            if self._refused % ADMIT_ONE_IN:
                return False
            others, oldest = self._oldest_first.popleft()
            del others[oldest]
        self._oldest_first.append((responses, path))
        return True
