"""Encoded response headers, each made once and shared by all responses."""

from typing import Any, TypeAlias

from data_plane.http.responses import staleness_bound_text
from shared.runtime.http.problems import CONTENT_TYPE

Header: TypeAlias = tuple[bytes, bytes]
Messages: TypeAlias = tuple[Any, Any]
"""The ASGI start and body messages of a response."""


class NumberedHeader(dict[int, Header]):
    """A header by the number in its value. The first `max_size` numbers are kept, the others encoded each time."""

    def __init__(self, name: bytes, value: bytes, *, max_size: int) -> None:
        """`value` contains a `%d` for the number."""
        self._name, self._value, self._max_size = name, value, max_size

    def __missing__(self, number: int) -> Header:
        header = self._name, self._value % number
        if len(self) < self._max_size:
            self[number] = header
        return header


MAX_AGE = NumberedHeader(b"cache-control", b"max-age=%d", max_size=4096)
AGE = NumberedHeader(b"age", b"%d", max_size=4096)
STALENESS_BOUND = NumberedHeader(b"x-staleness-bound", b"%d", max_size=16_384)
LENGTH = NumberedHeader(b"content-length", b"%d", max_size=4096)
UNKNOWN_BOUND: Header = (b"x-staleness-bound", staleness_bound_text(None).encode())
X_CACHE_HIT: Header = (b"x-cache", b"l1")
X_CACHE_NEGATIVE: Header = (b"x-cache", b"l1; negative")
JSON: Header = (b"content-type", b"application/json")
PROBLEM_JSON: Header = (b"content-type", CONTENT_TYPE.encode())
CLOSE: Header = (b"connection", b"close")


def age_of(start: Any) -> float:
    """The whole seconds in the `Age` header of a start message; 0 without one."""
    return next((float(value) for name, value in start["headers"] if name == b"age"), 0.0)
