"""What is answered for the paths that are asked for most, ready but for what differs from one request to the next."""

from collections import deque
from typing import Any, TypeAlias

import msgspec

from data_plane.domain.remote_clock import PrimaryTime
from data_plane.domain.slot import MAX_USES, Slot
from data_plane.http.fast_path.headers import AGE, LENGTH, MAX_AGE, Header
from data_plane.http.fast_path.paths import PREFIX
from data_plane.service.resolve.l1_reader import L1Reader
from shared.runtime.clock import LocalTime

REMEMBERED = 4096
NEWCOMERS = 16
"""Once that many are remembered, every so manieth path that is not among them takes the place of the oldest: who asks
for very many paths in turn gains nothing from being remembered, and pays for little of it."""


class CachedResponse(msgspec.Struct, gc=False, eq=False):
    """What is held of one route, encoded.

    Good `until` then, as long as `changes` is what LocalAnswers say, and the slot's uses are at their most: fewer are to
    be counted, and a slot that is gone has none.
    """

    slot: Slot
    body: dict[str, Any]
    length: Header
    etag: Header
    cache_control: Header
    age: Header
    until: float
    changes: int
    proven_at: PrimaryTime | None

    @classmethod
    def of(cls, route: bytes, slot: Slot, answers: L1Reader, now: LocalTime) -> "CachedResponse":
        """All of it made anew; what depends on the time in whole seconds."""
        parts = route.split(b"/")
        body = slot.body(parts)
        remaining, age = int(slot.expires_at - now), int(now - slot.read_at) if now > slot.read_at else 0
        less_remains, is_older = slot.expires_at - remaining, slot.read_at + age + 1
        return cls(
            slot,
            {"type": "http.response.body", "body": body, "more_body": False},
            LENGTH[len(body)],
            (b"etag", b'"%d"' % slot.revision),
            MAX_AGE[remaining],
            AGE[age],
            less_remains if less_remains < is_older else is_older,
            answers.changes(),
            answers.proven_at(slot, parts[0].decode()),
        )


ByPath: TypeAlias = dict[bytes, CachedResponse]


class ResponseCache:
    """The answers by the path of the request. Whoever takes one out sees to it that it is still good.

    They are kept apart by who may see them: a caller can not tell, not even by the time, whether an answer of another
    tenant's route is remembered.
    """

    def __init__(self, answers: L1Reader) -> None:
        self._answers = answers
        self._by_tenant: dict[str | None, ByPath] = {}
        self._order: deque[tuple[ByPath, bytes]] = deque()
        self._newcomers = 0

    def shown_to(self, tenant: str | None) -> ByPath:
        """Those for callers of the tenant; for None, for callers that see all tenants. The same object each time."""
        return self._by_tenant.setdefault(tenant, {})

    def renew(self, among: ByPath, path: bytes, slot: Slot, now: LocalTime) -> CachedResponse:
        """The answer for this path, made anew from what is held of its route."""
        known = CachedResponse.of(path[len(PREFIX) :], slot, self._answers, now)
        if slot.uses == MAX_USES and (path in among or self._has_room_for(among, path)):
            among[path] = known
        return known

    def _has_room_for(self, among: ByPath, path: bytes) -> bool:
        """Whether the path may come in; the oldest goes for it where all places are taken."""
        if len(self._order) >= REMEMBERED:
            self._newcomers += 1
            if self._newcomers % NEWCOMERS:
                return False
            others, oldest = self._order.popleft()
            del others[oldest]
        self._order.append((among, path))
        return True
