"""Refuses requests whose head has no single meaning, and gives the others one form, before any handler reads them."""

import re
from collections import Counter
from collections.abc import Iterable, Sequence
from functools import lru_cache
from urllib.parse import unquote

from litestar.enums import ScopeType
from litestar.types import ASGIApp, Receive, Scope, Send

from shared.runtime.http.problems import INVALID_INPUT, ProblemType, send_problem
from shared.schemas.validation import FieldError

UNSUPPORTED_ENCODING = ProblemType(
    415, "unsupported-content-encoding", "Content encoding not supported", headers={"Accept-Encoding": "identity"}
)
_SINGLE = {b"host": "Host", b"x-min-revision": "X-Min-Revision", b"idempotency-key": "Idempotency-Key"} | {
    b"last-event-id": "Last-Event-ID"
}
"""Fields with one value: of two, either could be the one that the caller, or a proxy between, goes by."""
_LISTS = frozenset({b"cache-control", b"if-match", b"if-none-match", b"content-encoding"})
"""Fields whose repeated lines are one list (RFC 9110, section 5.3). Only the fields that a handler reads."""
_HOST = re.compile(rb"(?:\[[0-9A-Za-z:.%]+\]|[0-9A-Za-z!$&'()*+,;=\-._~%]*)(?::(?P<port>[0-9]{0,5}))?")

Fields = Sequence[tuple[bytes, bytes]]


class RequestSyntaxMiddleware:
    """Responds 400 to a repeated single field or an impossible Host, and 415 to a compressed body.

    Combines the lines of list fields, and keeps an encoded slash in a path from separating its segments.
    """

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != ScopeType.HTTP:
            await self._app(scope, receive, send)
            return
        scope["headers"] = fields = combined(list(scope["headers"]))
        raw_path = scope.get("raw_path") or b""
        if b"%" in raw_path:
            scope["path"] = path_of(raw_path, scope["path"])
        errors = list(head_errors(fields))
        encoding = next((value for name, value in fields if name == b"content-encoding"), b"identity")
        if errors:
            await send_problem(send, INVALID_INPUT, "The head of the request is ambiguous or malformed.", errors=errors)
        elif encoding.strip().lower() not in (b"", b"identity"):
            detail = f"The body is encoded as {encoding.decode('latin-1')[:80]!r}. Send it as it is."
            await send_problem(send, UNSUPPORTED_ENCODING, detail)
        else:
            await self._app(scope, receive, send)


@lru_cache(64)  # few hosts make up nearly all requests
def is_valid_host(host: bytes) -> bool:
    """Whether the value of a Host field is a host with an optional port from 0 to 65535 (RFC 9110, section 7.2)."""
    found = _HOST.fullmatch(host)
    return found is not None and int(found["port"] or 0) <= 65535


def combined(fields: Fields) -> Fields:
    """The fields, with the repeated lines of a list field as one line at the place of the first."""
    names = [name for name, _ in fields]
    repeated = {name for name in _LISTS if names.count(name) > 1}
    if not repeated:
        return fields
    lines = {name: b", ".join(value for each, value in fields if each == name) for name in repeated}
    return [
        (name, lines.pop(name) if name in lines else value)
        for name, value in fields
        if name not in repeated or name in lines
    ]


def head_errors(fields: Fields) -> Iterable[FieldError]:
    """An error for each single field that is repeated, and for a Host that is none."""
    counts = Counter(name for name, _ in fields if name in _SINGLE)
    for name, count in counts.items():
        if count > 1:
            yield FieldError(f"/{_SINGLE[name]}", f"is sent {count} times; send it once")
    host = next((value for name, value in fields if name == b"host"), b"")
    if not is_valid_host(host):
        shown = host.decode("latin-1")[:80]
        yield FieldError("/Host", f"must be a host with an optional port up to 65535; got {shown!r}")


def path_of(raw_path: bytes, decoded: str) -> str:
    """The decoded path; one with an encoded slash keeps it as %2F, which no name may contain."""
    if b"%2f" not in raw_path.lower():
        return decoded
    return "/".join(unquote(each).replace("/", "%2F") for each in raw_path.decode("latin-1").split("/"))
