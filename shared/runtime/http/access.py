"""Access at the HTTP edge: what is open to anyone, what strangers are told, and the guard before every handler."""

from collections.abc import Callable, Mapping
from typing import Any, TypeAlias

import msgspec
from litestar.connection import ASGIConnection
from litestar.enums import HttpMethod
from litestar.exceptions import NotFoundException
from litestar.handlers import BaseRouteHandler
from litestar.types import Send

from shared.runtime.access.permissions import PERMISSIONS, Verdict, judge
from shared.runtime.access.principal import Principal, Refusal
from shared.runtime.http.problems import CONTENT_TYPE, Kind, headers_of, problem_of
from shared.runtime.metrics import Metrics

Connection: TypeAlias = ASGIConnection[Any, Any, Any, Any]
Absent: TypeAlias = Callable[[Connection], Exception]
"""Makes the error that a service answers with when what a path names does not exist."""


class Forbidden(Exception):
    """The caller is known, and its role may not do this."""

    def __init__(self, principal: Principal, operation: str) -> None:
        permission = PERMISSIONS.get(operation)
        allowed = ", ".join(sorted(permission.roles)) if permission else "nobody"
        super().__init__(f"The role {principal.role} may not do {operation}; allowed is: {allowed}.")


UNAUTHENTICATED = Kind(401, "unauthenticated", "The request does not say who is calling")
FORBIDDEN = Kind(403, "forbidden", "The caller may not do this")
KEYS_NOT_HERE = Kind(503, "keys-not-loaded", "The access keys are not here yet", retry_after=1)
ACCESS_KINDS: Mapping[type[Exception], Kind] = {Forbidden: FORBIDDEN}

_SEND = "Send `Authorization: Bearer` and an access key or a token."
_DETAILS = {
    Refusal.MISSING: f"There is no credential. {_SEND}",
    Refusal.INVALID: f"The credential is not one that is known here, or it was mistyped. {_SEND}",
    Refusal.EXPIRED: "The credential has expired. Ask for another one.",
    Refusal.REVOKED: "The access key was revoked. Ask for another one.",
    Refusal.UNKNOWN: "This process has just started and does not know all keys yet. Try again soon.",
}


def is_public(path: str) -> bool:
    """Whether anyone may ask: health, metrics and the API's description, none of which know of tenants."""
    return path == "/metrics" or path.startswith(("/health/", "/schema/")) or path == "/schema"


async def refuse(refusal: Refusal, send: Send, *, with_body: bool) -> None:
    """Answer a caller that is nobody (RFC 6750, section 3)."""
    kind = KEYS_NOT_HERE if refusal is Refusal.UNKNOWN else UNAUTHENTICATED
    body = msgspec.json.encode(problem_of(kind, _DETAILS[refusal]))
    headers = [(b"content-type", CONTENT_TYPE.encode()), (b"content-length", str(len(body)).encode())]
    headers += [(name.lower().encode(), value.encode()) for name, value in headers_of(kind).items()]
    if kind is UNAUTHENTICATED:
        error = b"" if refusal is Refusal.MISSING else b' error="invalid_token"'
        headers.append((b"www-authenticate", b"Bearer" + error))
    await send({"type": "http.response.start", "status": kind.status, "headers": headers})
    await send({"type": "http.response.body", "body": body if with_body else b"", "more_body": False})


def principal_of(connection: Connection) -> Principal:
    """Who is calling, in a handler."""
    principal: Principal = connection.scope["auth"]
    return principal


def guard_of(absent: Absent, metrics: Metrics) -> Callable[[Connection, BaseRouteHandler], None]:
    """The guard before every handler, which lets in whom the table of permissions lets in."""
    forbidden = metrics.counter("tm_auth_total").labels("forbidden")

    def guard(connection: Connection, handler: BaseRouteHandler) -> None:
        operation = handler.opt.get("operation")
        if operation is None and _needs_none(connection):
            return
        principal = principal_of(connection)
        verdict = judge(principal, operation, connection.path_params.get("tenant"))
        if verdict is Verdict.ABSENT:
            raise absent(connection)
        if verdict is Verdict.FORBIDDEN:
            forbidden.inc()
            raise Forbidden(principal, str(operation))

    return guard


def _needs_none(connection: Connection) -> bool:
    # Litestar itself answers OPTIONS, with the methods that a path has.
    return is_public(connection.scope["path"]) or connection.scope.get("method") == HttpMethod.OPTIONS


def nothing_there(_: Connection) -> Exception:
    """The error of a path that no handler has."""
    return NotFoundException()
