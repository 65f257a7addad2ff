"""What is answered for the paths that are asked for most, ready but for what differs from one request to the next."""

from typing import Any

from data_plane.domain.slot import MAX_USES, Slot
from data_plane.http.encoded import AGE, LENGTH, MAX_AGE, Header
from data_plane.http.resolve import RESOLVE_PATH
from data_plane.service.local_answers import LocalAnswers

REMEMBERED = 4096
_PREFIX = RESOLVE_PATH.partition("{")[0].encode()


class KnownAnswer:
    """What is held of one route, encoded.

    Good `until` then, as long as `changes` is what LocalAnswers say, and the slot's uses are at their most: fewer are to
    be counted, and a slot that is gone has none.
    """

    __slots__ = ("age", "as_of", "body", "cache_control", "changes", "etag", "length", "slot", "tenant", "until")

    as_of: float | None
    age: Header
    cache_control: Header
    changes: int
    until: float

    def __init__(self, route: bytes, slot: Slot) -> None:
        self.slot = slot
        self.tenant = route[: route.index(b"/")].decode()
        self.etag: Header = b"etag", b'"%d"' % slot.revision
        body = slot.body(route)
        self.length = LENGTH[len(body)]
        self.body: dict[str, Any] = {"type": "http.response.body", "body": body, "more_body": False}

    def renew(self, answers: LocalAnswers, now: float) -> None:
        """Encode what depends on the time: whole seconds of age, and of life."""
        slot = self.slot
        remaining, age = int(slot.expires_at - now), int(now - slot.as_of) if now > slot.as_of else 0
        self.cache_control, self.age = MAX_AGE[remaining], AGE[age]
        less_remains, is_older = slot.expires_at - remaining, slot.as_of + age + 1
        self.until = less_remains if less_remains < is_older else is_older
        self.changes = answers.changes()
        self.as_of = answers.as_of(slot, self.tenant)


class KnownAnswers(dict[bytes, KnownAnswer]):
    """The answers by the path of the request. Whoever takes one out sees to it that it is still good."""

    def __init__(self, answers: LocalAnswers) -> None:
        self._answers = answers

    def look_up(self, path: bytes, now: float) -> KnownAnswer | None:
        """The answer for this path, made anew where it has to be.

        None where the process has none that may be given without asking anyone.
        """
        known = self.get(path)
        slot = self._answers.active(path[len(_PREFIX) :], now) if path.startswith(_PREFIX) else None
        if slot is None:
            if known is not None:
                del self[path]
            return None
        if known is None or known.slot is not slot:
            known = KnownAnswer(path[len(_PREFIX) :], slot)
            if slot.uses == MAX_USES:
                self._remember(path, known)
        known.renew(self._answers, now)
        return known

    def _remember(self, path: bytes, known: KnownAnswer) -> None:
        if len(self) >= REMEMBERED:
            self.clear()
        self[path] = known
