"""What the headers of a request ask for. Most callers send the same ones with every request: they are read once."""

import re
from typing import NamedTuple, TypeAlias

from shared.runtime import correlation
from shared.runtime.http.bounds import Bounds

Headers: TypeAlias = tuple[tuple[bytes, bytes], ...]
"""As ASGI has them: names in lower case."""

REMEMBERED = 4096
REMEMBERED_BYTES = 1024
"""At most so many blocks of headers are remembered, each of at most so many bytes."""
CORRELATION = correlation.HEADER.lower().encode()
_IF_NONE_MATCH = b"if-none-match"
_LEFT_TO_LITESTAR = frozenset({b"cache-control", b"x-min-revision"})
_EACH_TIME_OTHERS = frozenset({CORRELATION, _IF_NONE_MATCH, b"traceparent", b"x-request-id"})
_HOST = re.compile(rb"[A-Za-z0-9.-]{1,253}(:[0-9]{1,5})?")


class Asked(NamedTuple):
    """What of a request's headers an answer depends on."""

    if_none_match: str | None
    correlation_id: str | None


PLAIN = Asked(None, None)
"""The only one with nothing in it."""


class Callers(dict[Headers, Asked | None]):
    """What headers ask; None where Litestar has to look at them: of an unusual host, given twice, too large, a demand.

    Holds those that are likely to come again.
    """

    def __init__(self, bounds: Bounds) -> None:
        self._bounds = bounds

    def __missing__(self, headers: Headers) -> Asked | None:
        by_name = dict(headers)
        size = sum(map(len, by_name)) + sum(map(len, by_name.values()))
        if (
            len(by_name) != len(headers)
            or len(headers) > self._bounds.header_count
            or size > self._bounds.header_bytes
            or not _LEFT_TO_LITESTAR.isdisjoint(by_name)
            or _HOST.fullmatch(by_name.get(b"host", b"localhost")) is None
        ):
            return None
        asked = Asked(_text(by_name.get(_IF_NONE_MATCH)), _text(by_name.get(CORRELATION)))
        asked = PLAIN if asked == PLAIN else asked
        if size <= REMEMBERED_BYTES and _EACH_TIME_OTHERS.isdisjoint(by_name):
            self._remember(headers, asked)
        return asked

    def _remember(self, headers: Headers, asked: Asked) -> None:
        if len(self) >= REMEMBERED:
            self.clear()
        self[headers] = asked


def _text(value: bytes | None) -> str | None:
    return None if value is None else value.decode("latin-1")
