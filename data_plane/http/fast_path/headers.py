"""Headers of answers as they go over the wire, made once for all answers that have them."""

from typing import Any, TypeAlias

from data_plane.http.responses import staleness_bound_text
from shared.runtime.http.problems import CONTENT_TYPE

Header: TypeAlias = tuple[bytes, bytes]
Messages: TypeAlias = tuple[Any, Any]
"""An answer: its start and its body, as ASGI has them."""


class Numbered(dict[int, Header]):
    """A header by the number in its value; the first ones are kept."""

    def __init__(self, name: bytes, value: bytes, most: int) -> None:
        """`value` has a `%d` in it."""
        self._name, self._value, self._most = name, value, most

    def __missing__(self, number: int) -> Header:
        header = self._name, self._value % number
        if len(self) < self._most:
            self[number] = header
        return header


MAX_AGE = Numbered(b"cache-control", b"max-age=%d", most=4096)
AGE = Numbered(b"age", b"%d", most=4096)
BOUND = Numbered(b"x-staleness-bound", b"%d", most=16_384)
LENGTH = Numbered(b"content-length", b"%d", most=4096)
UNKNOWN_BOUND: Header = (b"x-staleness-bound", staleness_bound_text(None).encode())
X_CACHE: Header = (b"x-cache", b"l1")
NEGATIVE: Header = (b"x-cache", b"l1; negative")
JSON: Header = (b"content-type", b"application/json")
PROBLEM: Header = (b"content-type", CONTENT_TYPE.encode())
CLOSE: Header = (b"connection", b"close")
