"""Who asks, and for what: most callers send the same headers with every request, and those are understood once."""

import re
from typing import TypeAlias

from data_plane.http.fast_path.paths import PREFIX, paths_of
from data_plane.http.fast_path.response_cache import ByPath, ResponseCache
from data_plane.http.resolve import OPERATION
from shared.runtime import correlation
from shared.runtime.access.authenticator import Acceptance, Authenticator
from shared.runtime.access.permissions import Decision, authorize
from shared.runtime.access.principal import Principal
from shared.runtime.fifo_dict import FifoDict
from shared.runtime.http.request_limits import RequestLimits

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


class CachedCaller:
    """What an answer depends on in a request's headers. Holds `until` then, for this `version` of the authenticator."""

    __slots__ = ("correlation_id", "if_none_match", "is_plain", "known", "paths", "until", "version")

    def __init__(self, accepted: Acceptance, by_name: dict[bytes, bytes], version: int, known: ByPath) -> None:
        """`known`: the answers that are remembered for callers like this one."""
        tenant = accepted.principal.tenant
        self.known = known
        self.paths = PREFIX if tenant is None else paths_of(tenant)
        """What the paths of all routes begin with that exist for the caller, and no other's."""
        self.if_none_match = _text(by_name.get(_IF_NONE_MATCH))
        self.correlation_id = _text(by_name.get(CORRELATION))
        self.is_plain = self.if_none_match is None and self.correlation_id is None
        self.until = accepted.until
        self.version = version


class CallerCache(FifoDict[Headers, CachedCaller]):
    """Callers by the headers of their requests. Whoever takes one out sees to it that it is still good."""

    def __init__(self, authenticator: Authenticator, limits: RequestLimits, known: ResponseCache) -> None:
        super().__init__(REMEMBERED)
        self._known = known
        self._authenticator = authenticator
        self._bounds = limits

    def look_at(self, headers: Headers) -> CachedCaller | None:
        """None where Litestar has to look at them: no good credential, an unusual host, a name twice, a demand."""
        by_name = dict(headers)
        size = sum(map(len, by_name)) + sum(map(len, by_name.values()))
        if not self._is_understood(headers, by_name) or size > self._bounds.max_header_bytes:
            return None
        version = self._authenticator.version()
        accepted = self._authenticator.accept(headers)
        if accepted is None or not _may_resolve(accepted.principal):
            self.pop(headers, None)
            return None
        caller = CachedCaller(accepted, by_name, version, self._known.shown_to(accepted.principal.tenant))
        if size <= REMEMBERED_BYTES and _EACH_TIME_OTHERS.isdisjoint(by_name):
            self.put(headers, caller)
        return caller

    def _is_understood(self, headers: Headers, by_name: dict[bytes, bytes]) -> bool:
        return (
            len(by_name) == len(headers) <= self._bounds.max_header_fields
            and _LEFT_TO_LITESTAR.isdisjoint(by_name)
            and _HOST.fullmatch(by_name.get(b"host", b"localhost")) is not None
        )


def _may_resolve(principal: Principal) -> bool:
    """Whether the routes that exist for the caller may be resolved by it. An admin has no tenant, so it is asked for any."""
    return authorize(principal, OPERATION, principal.tenant or "") is Decision.ALLOWED


def _text(value: bytes | None) -> str | None:
    return None if value is None else value.decode("latin-1")
