"""Parts of answers as they go over the wire, made once for all answers that have them."""

from typing import Any, NamedTuple, TypeAlias

from data_plane.domain.slot import MAX_USES, Slot
from data_plane.http.answers import bound_text
from data_plane.http.conditions import etag_of

Header: TypeAlias = tuple[bytes, bytes]

REMEMBERED = 4096
"""At most so many answers are kept encoded, of those that are asked for most."""


class Numbered(dict[int, Header]):
    """A header by the number in its value; the first ones are kept."""

    def __init__(self, name: bytes, value: bytes, most: int = 4096) -> None:
        """`value` has a `%d` in it."""
        self._name, self._value, self._most = name, value, most

    def __missing__(self, number: int) -> Header:
        header = self._name, self._value % number
        if len(self) < self._most:
            self[number] = header
        return header


MAX_AGE = Numbered(b"cache-control", b"max-age=%d")
AGE = Numbered(b"age", b"%d")
BOUND = Numbered(b"x-staleness-bound", b"%d", most=16_384)
LENGTH = Numbered(b"content-length", b"%d")
UNKNOWN_BOUND: Header = (b"x-staleness-bound", bound_text(None).encode())
X_CACHE: Header = (b"x-cache", b"l1")
JSON: Header = (b"content-type", b"application/json")
CLOSE: Header = (b"connection", b"close")


class Encoded(NamedTuple):
    """What of an answer depends on the route alone."""

    tenant: str
    etag: Header
    length: Header
    body: dict[str, Any]


class EncodedAnswers(dict[Slot, Encoded]):
    """The answers that are asked for most, ready to be sent."""

    def add(self, route: bytes, slot: Slot) -> Encoded:
        """Encode what is held under the route."""
        body = slot.body(route)
        message = {"type": "http.response.body", "body": body, "more_body": False}
        tenant = route.partition(b"/")[0].decode()
        encoded = Encoded(tenant, (b"etag", etag_of(slot.revision).encode()), LENGTH[len(body)], message)
        if slot.uses == MAX_USES:
            if len(self) >= REMEMBERED:
                self.clear()
            self[slot] = encoded
        return encoded
