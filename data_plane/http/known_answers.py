"""What is answered for the paths that are asked for most, ready but for what differs from one request to the next."""

from typing import Any

import msgspec

from data_plane.domain.slot import MAX_USES, Slot
from data_plane.http.encoded import AGE, LENGTH, MAX_AGE, Header
from data_plane.http.lately import Lately
from data_plane.http.resolve import RESOLVE_PATH
from data_plane.service.local_answers import LocalAnswers

REMEMBERED = 4096
NEWCOMERS = 16
"""Once that many are remembered, every so manieth path that is not among them takes the place of the oldest: who asks
for very many paths in turn gains nothing from being remembered, and pays for little of it."""
_PREFIX = RESOLVE_PATH.partition("{")[0].encode()


class KnownAnswer(msgspec.Struct, gc=False, eq=False):
    """What is held of one route, encoded.

    Good `until` then, as long as `changes` is what LocalAnswers say, and the slot's uses are at their most: fewer are to
    be counted, and a slot that is gone has none.
    """

    slot: Slot
    tenant: str
    body: dict[str, Any]
    length: Header
    etag: Header
    cache_control: Header
    age: Header
    until: float
    changes: int
    as_of: float | None

    @classmethod
    def of(cls, route: bytes, slot: Slot, answers: LocalAnswers, now: float) -> "KnownAnswer":
        """All of it made anew; what depends on the time in whole seconds."""
        parts = route.split(b"/")
        tenant, body = parts[0].decode(), slot.body(parts)
        remaining, age = int(slot.expires_at - now), int(now - slot.as_of) if now > slot.as_of else 0
        less_remains, is_older = slot.expires_at - remaining, slot.as_of + age + 1
        return cls(
            slot,
            tenant,
            {"type": "http.response.body", "body": body, "more_body": False},
            LENGTH[len(body)],
            (b"etag", b'"%d"' % slot.revision),
            MAX_AGE[remaining],
            AGE[age],
            less_remains if less_remains < is_older else is_older,
            answers.changes(),
            answers.as_of(slot, tenant),
        )


class KnownAnswers:
    """The answers by the path of the request. Whoever takes one out sees to it that it is still good."""

    def __init__(self, answers: LocalAnswers) -> None:
        self._answers = answers
        self._lately: Lately[bytes, KnownAnswer] = Lately(REMEMBERED)
        self._newcomers = 0
        self.get = self._lately.get

    def look_up(self, path: bytes, now: float) -> KnownAnswer | None:
        """The answer for this path, made anew.

        None where the process has none that may be given without asking anyone.
        """
        slot = self._answers.active(path[len(_PREFIX) :], now) if path.startswith(_PREFIX) else None
        if slot is None:
            return None
        known = KnownAnswer.of(path[len(_PREFIX) :], slot, self._answers, now)
        if slot.uses == MAX_USES:
            self._remember(path, known)
        return known

    def _remember(self, path: bytes, known: KnownAnswer) -> None:
        if self._lately.is_full and path not in self._lately:
            self._newcomers += 1
            if self._newcomers % NEWCOMERS:
                return
        self._lately.remember(path, known)
