"""Who asks, and for what: most callers send the same headers with every request, and those are understood once."""

import re
from collections.abc import Iterable
from typing import TypeAlias

from data_plane.http.resolve import OPERATION
from shared.runtime import correlation
from shared.runtime.access.authenticator import Authenticator
from shared.runtime.access.permissions import Verdict, judge
from shared.runtime.access.principal import Principal
from shared.runtime.http.bounds import Bounds

Headers: TypeAlias = tuple[tuple[bytes, bytes], ...]
"""As ASGI has them: names in lower case."""

CORRELATION = correlation.HEADER.lower().encode()
REMEMBERED = 4096
REMEMBERED_BYTES = 1024
"""At most so many blocks of headers are remembered, each of at most so many bytes."""
_IF_NONE_MATCH = b"if-none-match"
_LEFT_TO_LITESTAR = frozenset({b"cache-control", b"x-min-revision"})
_EACH_TIME_OTHERS = frozenset({CORRELATION, _IF_NONE_MATCH, b"traceparent", b"x-request-id"})
_HOST = re.compile(rb"[A-Za-z0-9.-]{1,253}(:[0-9]{1,5})?")


class Caller:
    """What an answer depends on in a request's headers. Holds `until` then, for this `version` of the authenticator."""

    __slots__ = ("_principal", "_tenants", "correlation_id", "if_none_match", "is_plain", "until", "version")

    def __init__(self, principal: Principal, by_name: dict[bytes, bytes], until: float, version: int) -> None:
        self._principal = principal
        self._tenants: set[str] = set()
        self.if_none_match = _text(by_name.get(_IF_NONE_MATCH))
        self.correlation_id = _text(by_name.get(CORRELATION))
        self.is_plain = self.if_none_match is None and self.correlation_id is None
        self.until = until
        self.version = version

    def may_ask_for(self, tenant: str) -> bool:
        """Whether routes of the tenant may be resolved."""
        if tenant in self._tenants:
            return True
        if judge(self._principal, OPERATION, tenant) is not Verdict.ALLOWED:
            return False
        self._tenants.add(tenant)
        return True


class Callers:
    """Tells callers by the headers of their requests."""

    def __init__(self, authenticator: Authenticator, bounds: Bounds) -> None:
        self._authenticator = authenticator
        self._version = authenticator.version
        self._bounds = bounds
        self._known: dict[Headers, Caller] = {}

    def find(self, headers: Iterable[tuple[bytes, bytes]], now: float) -> Caller | None:
        """None where Litestar has to look at them: no good credential, an unusual host, given twice, a demand."""
        block = tuple(headers)
        known = self._known.get(block)
        if known is None or now >= known.until or known.version != self._version():
            return self._read(block)
        return known

    def _read(self, block: Headers) -> Caller | None:
        by_name = dict(block)
        size = sum(map(len, by_name)) + sum(map(len, by_name.values()))
        if not self._is_understood(block, by_name) or size > self._bounds.header_bytes:
            return None
        version = self._version()
        accepted = self._authenticator.accept(block)
        if accepted is None:
            return None
        caller = Caller(accepted.principal, by_name, accepted.until, version)
        if size <= REMEMBERED_BYTES and _EACH_TIME_OTHERS.isdisjoint(by_name):
            if len(self._known) >= REMEMBERED:
                self._known.clear()
            self._known[block] = caller
        return caller

    def _is_understood(self, block: Headers, by_name: dict[bytes, bytes]) -> bool:
        return (
            len(by_name) == len(block) <= self._bounds.header_count
            and _LEFT_TO_LITESTAR.isdisjoint(by_name)
            and _HOST.fullmatch(by_name.get(b"host", b"localhost")) is not None
        )


def _text(value: bytes | None) -> str | None:
    return None if value is None else value.decode("latin-1")
