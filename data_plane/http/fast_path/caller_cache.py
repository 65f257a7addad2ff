"""Callers by the headers of their requests. Most callers send the same headers each time; those are parsed once."""

from typing import TypeAlias

from data_plane.http.fast_path.paths import PREFIX, tenant_prefix
from data_plane.http.fast_path.response_cache import ResponseCache, ResponsesByPath
from data_plane.http.resolve import OPERATION
from shared.runtime import correlation
from shared.runtime.access.authenticator import Acceptance, Authenticator
from shared.runtime.access.permissions import Decision, authorize
from shared.runtime.access.principal import Principal
from shared.runtime.clock import LocalTime
from shared.runtime.fifo_dict import FifoDict
from shared.runtime.http.request_limits import RequestLimits
from shared.runtime.http.request_syntax import is_valid_host

Headers: TypeAlias = tuple[tuple[bytes, bytes], ...]
"""As ASGI has them: names in lower case."""

CORRELATION_ID = correlation.HEADER.lower().encode()
MAX_CALLERS = 4096
MAX_CACHED_HEADER_BYTES = 1024
"""Callers with larger headers are not cached, which bounds the memory of the cache."""
_IF_NONE_MATCH = b"if-none-match"
_HANDLER_ONLY = frozenset({b"cache-control", b"x-min-revision", b"content-encoding"})
_TRACEPARENT = b"traceparent"
_TRACE_FIELDS = frozenset({_TRACEPARENT, b"tracestate", b"baggage"})
MAX_TRACE_BYTES = 1024
"""Values of trace fields up to which a caller is cached: together with those of any cached caller, they are within the limit."""
_DIFFERENT_EACH_TIME = frozenset({CORRELATION_ID, _IF_NONE_MATCH, b"x-request-id", *_TRACE_FIELDS})


class CachedCaller:
    """The parts of a request's headers on which a response depends.

    Users must check before each use that it is before `valid_until` and that `access_version` is the authenticator's.
    """

    __slots__ = (
        "access_version",
        "correlation_id",
        "if_none_match",
        "is_plain",
        "responses",
        "valid_until",
        "visible_prefix",
    )

    def __init__(
        self, accepted: Acceptance, by_name: dict[bytes, bytes], access_version: int, responses: ResponsesByPath
    ) -> None:
        """`responses`: the cached responses for callers of this tenant."""
        tenant = accepted.principal.tenant
        self.responses = responses
        self.visible_prefix = PREFIX if tenant is None else tenant_prefix(tenant)
        """Prefix of the paths of all routes that the caller may see, and of no others."""
        self.if_none_match = _text(by_name.get(_IF_NONE_MATCH))
        self.correlation_id = _text(by_name.get(CORRELATION_ID))
        self.is_plain = self.if_none_match is None and self.correlation_id is None
        self.valid_until = accepted.until
        self.access_version = access_version


class CallerCache(FifoDict[Headers, CachedCaller]):
    """At most MAX_CALLERS. A dict itself, so that a hit costs no further call."""

    def __init__(self, authenticator: Authenticator, limits: RequestLimits, responses: ResponseCache) -> None:
        super().__init__(MAX_CALLERS)
        self._authenticator = authenticator
        self._limits = limits
        self._responses = responses
        spare_bytes = limits.max_header_bytes - MAX_CACHED_HEADER_BYTES - sum(map(len, _TRACE_FIELDS))
        self._max_trace_bytes = min(MAX_TRACE_BYTES, spare_bytes)

    def find(self, headers: Headers, now: LocalTime) -> tuple[CachedCaller | None, bytes | None]:
        """The caller with these headers, which are not cached as they are, and its `traceparent`. None as in `authenticate`.

        Instrumented callers send another trace with each request. They are cached without it, because a trace changes no
        response.
        """
        rest: list[tuple[bytes, bytes]] = []
        trace: list[tuple[bytes, bytes]] = []
        for each in headers:
            (trace if each[0] in _TRACE_FIELDS else rest).append(each)
        if not self._is_small(trace) or len(headers) > self._limits.max_header_fields:
            return self.authenticate(headers), dict(trace).get(_TRACEPARENT)
        without_trace = tuple(rest)
        caller = self.get(without_trace)
        if caller is None or now >= caller.valid_until or caller.access_version != self._authenticator.version():
            # With all headers first: together they may exceed a limit.
            caller = self.authenticate(headers) and self.authenticate(without_trace)
        return caller, dict(trace).get(_TRACEPARENT)

    def _is_small(self, trace: list[tuple[bytes, bytes]]) -> bool:
        """Whether there are trace fields, none of them repeated, that may be added to any cached caller's."""
        if len(trace) == 1:
            return len(trace[0][1]) <= self._max_trace_bytes
        fields = dict(trace)
        return 0 < len(fields) == len(trace) and sum(map(len, fields.values())) <= self._max_trace_bytes

    def authenticate(self, headers: Headers) -> CachedCaller | None:
        """The caller with these headers, cached unless its headers are large or differ in each request. None if Litestar has to answer.

        That is: a rejected credential, a malformed host, a repeated or oversized header, or a read-consistency demand.
        """
        by_name = dict(headers)
        size = sum(map(len, by_name)) + sum(map(len, by_name.values()))
        if not self._is_understood(headers, by_name) or size > self._limits.max_header_bytes:
            return None
        access_version = self._authenticator.version()
        accepted = self._authenticator.accept(headers)
        if accepted is None or not _may_resolve(accepted.principal):
            self.pop(headers, None)
            return None
        responses = self._responses.of_tenant(accepted.principal.tenant)
        caller = CachedCaller(accepted, by_name, access_version, responses)
        if size <= MAX_CACHED_HEADER_BYTES and _DIFFERENT_EACH_TIME.isdisjoint(by_name):
            self.put(headers, caller)
        return caller

    def _is_understood(self, headers: Headers, by_name: dict[bytes, bytes]) -> bool:
        return (
            len(by_name) == len(headers) <= self._limits.max_header_fields
            and _HANDLER_ONLY.isdisjoint(by_name)
            and is_valid_host(by_name.get(b"host", b""))
        )


def _may_resolve(principal: Principal) -> bool:
    """Whether the principal may resolve the routes it can see. An admin has no tenant, so the check passes the empty name."""
    return authorize(principal, OPERATION, principal.tenant or "") is Decision.ALLOWED


def _text(value: bytes | None) -> str | None:
    return None if value is None else value.decode("latin-1")
