"""Access at the HTTP edge: what is open to anyone, what strangers are told, and the guard before every handler."""

from collections.abc import Awaitable, Callable, Mapping
from typing import Any, TypeAlias

from litestar.connection import ASGIConnection
from litestar.enums import HttpMethod, ScopeType
from litestar.exceptions import NotFoundException
from litestar.handlers import BaseRouteHandler
from litestar.types import ASGIApp, Receive, Scope, Send

from shared.runtime.access.authenticator import Authenticator
from shared.runtime.access.permissions import PERMISSIONS, Decision, authorize
from shared.runtime.access.principal import Principal, Refusal
from shared.runtime.http.problems import ProblemType, send_problem
from shared.runtime.metrics import Metrics

Connection: TypeAlias = ASGIConnection[Any, Any, Any, Any]
MakeNotFound: TypeAlias = Callable[[Connection], Exception]
"""Makes the error that a service answers with when what a path names does not exist."""


class Forbidden(Exception):
    """The caller is known, and its role may not do this."""

    def __init__(self, principal: Principal, operation: str) -> None:
        permission = PERMISSIONS.get(operation)
        allowed = ", ".join(sorted(permission.roles)) if permission else "nobody"
        super().__init__(f"The role {principal.role} may not do {operation}; allowed is: {allowed}.")


UNAUTHENTICATED = ProblemType(401, "unauthenticated", "The request does not say who is calling")
FORBIDDEN = ProblemType(403, "forbidden", "The caller may not do this")
KEYS_NOT_HERE = ProblemType(503, "keys-not-loaded", "The access keys are not here yet", retry_after=1)
ACCESS_PROBLEM_TYPES: Mapping[type[Exception], ProblemType] = {Forbidden: FORBIDDEN}

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


class AuthenticationMiddleware:
    """Lets the application see only requests whose caller is known, as `scope["auth"]`.

    A layer before this one that has told the caller already puts it there, and the credential is not looked at again.
    """

    def __init__(self, app: ASGIApp, authenticator: Authenticator) -> None:
        self._app = app
        self._authenticator = authenticator

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == ScopeType.HTTP and not is_public(scope["path"]) and not scope.get("auth"):
            caller = self._authenticator.check(scope["headers"])
            if isinstance(caller, Refusal):
                await refuse(caller, send)
                return
            scope["auth"] = caller
        await self._app(scope, receive, send)


async def refuse(refusal: Refusal, send: Send) -> None:
    """Answer a caller that is nobody (RFC 6750, section 3)."""
    if refusal is Refusal.UNKNOWN:
        await send_problem(send, KEYS_NOT_HERE, _DETAILS[refusal])
        return
    challenge = "Bearer" if refusal is Refusal.MISSING else 'Bearer error="invalid_token"'
    await send_problem(send, UNAUTHENTICATED, _DETAILS[refusal], {"WWW-Authenticate": challenge})


def principal_of(connection: Connection) -> Principal:
    """Who is calling, in a handler."""
    principal: Principal = connection.scope["auth"]
    return principal


def access_guard(
    make_not_found: MakeNotFound, metrics: Metrics
) -> Callable[[Connection, BaseRouteHandler], Awaitable[None]]:
    """The guard before every handler, which lets in whom the table of permissions lets in."""
    forbidden = metrics.counter("tm_auth_total").labels("forbidden")

    # It awaits nothing, but Litestar runs guards that are not coroutines in threads, for each request.
    async def guard(connection: Connection, handler: BaseRouteHandler) -> None:
        operation = handler.opt.get("operation")
        if operation is None and _needs_none(connection):
            return
        principal = principal_of(connection)
        verdict = authorize(principal, operation, connection.path_params.get("tenant"))
        if verdict is Decision.ABSENT:
            raise make_not_found(connection)
        if verdict is Decision.FORBIDDEN:
            forbidden.inc()
            raise Forbidden(principal, str(operation))

    return guard


def _needs_none(connection: Connection) -> bool:
    # Litestar itself answers OPTIONS, with the methods that a path has.
    return is_public(connection.scope["path"]) or connection.scope.get("method") == HttpMethod.OPTIONS


def no_such_path(_: Connection) -> Exception:
    """The error of a path that no handler has."""
    return NotFoundException()
