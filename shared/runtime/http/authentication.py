"""Authentication and authorization of HTTP requests: the middleware, and the guard before every handler."""

from collections.abc import Awaitable, Callable, Mapping
from typing import Any, TypeAlias

from litestar.connection import ASGIConnection
from litestar.enums import HttpMethod, ScopeType
from litestar.exceptions import NotFoundException
from litestar.handlers import BaseRouteHandler
from litestar.types import ASGIApp, HTTPScope, Receive, Scope, Send

from shared.runtime.access.authenticator import Authenticator
from shared.runtime.access.permissions import PERMISSIONS, Decision, authorize
from shared.runtime.access.principal import Principal, Refusal
from shared.runtime.http.problems import ProblemType, send_problem
from shared.runtime.metrics import Metrics

Connection: TypeAlias = ASGIConnection[Any, Any, Any, Any]
MakeNotFound: TypeAlias = Callable[[Connection], Exception]
"""Makes the error for a path whose tenant the caller may not see: the same as for a resource that does not exist."""


class Forbidden(Exception):
    """The caller is authenticated, and its role lacks the permission."""

    def __init__(self, principal: Principal, operation: str) -> None:
        permission = PERMISSIONS.get(operation)
        roles = ", ".join(sorted(permission.roles)) if permission else "none"
        super().__init__(f"Role {principal.role} may not perform {operation}. Roles that may: {roles}.")


UNAUTHENTICATED = ProblemType(401, "unauthenticated", "Authentication required")
FORBIDDEN = ProblemType(403, "forbidden", "Permission denied")
KEYS_NOT_LOADED = ProblemType(503, "keys-not-loaded", "Access keys not loaded", retry_after=1)
ACCESS_PROBLEM_TYPES: Mapping[type[Exception], ProblemType] = {Forbidden: FORBIDDEN}

_SEND = "Send `Authorization: Bearer` with an access key or a JWT."
_DETAILS = {
    Refusal.MISSING: f"The request has no credential. {_SEND}",
    Refusal.INVALID: f"The credential is unknown or malformed. {_SEND}",
    Refusal.EXPIRED: "The credential has expired. Get a new one.",
    Refusal.REVOKED: "The access key was revoked. Get a new one.",
    Refusal.UNKNOWN: "This process has just started and has not loaded all access keys. Try again.",
}


def is_public(path: str) -> bool:
    """Whether the path needs no credential: health, metrics and the API's description, which contain no tenant's data."""
    return path == "/metrics" or path.startswith(("/health/", "/schema/")) or path == "/schema"


class AuthenticationMiddleware:
    """Passes only authenticated requests on, with their principal as `scope["auth"]`, and OPTIONS without one.

    A layer before this one may have authenticated the request already; its `scope["auth"]` is then used.
    """

    def __init__(self, app: ASGIApp, authenticator: Authenticator) -> None:
        self._app = app
        self._authenticator = authenticator

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == ScopeType.HTTP and not scope.get("auth") and _needs_credential(scope):
            caller = self._authenticator.check(scope["headers"])
            if isinstance(caller, Refusal):
                await _send_refusal(caller, send)
                return
            scope["auth"] = caller
        await self._app(scope, receive, send)


async def _send_refusal(refusal: Refusal, send: Send) -> None:
    """Respond to a request that is not authenticated (RFC 6750, section 3)."""
    if refusal is Refusal.UNKNOWN:
        await send_problem(send, KEYS_NOT_LOADED, _DETAILS[refusal])
        return
    challenge = "Bearer" if refusal is Refusal.MISSING else 'Bearer error="invalid_token"'
    await send_problem(send, UNAUTHENTICATED, _DETAILS[refusal], {"WWW-Authenticate": challenge})


def principal_of(connection: Connection) -> Principal:
    """The authenticated caller of a request."""
    principal: Principal = connection.scope["auth"]
    return principal


def access_guard(
    make_not_found: MakeNotFound, metrics: Metrics
) -> Callable[[Connection, BaseRouteHandler], Awaitable[None]]:
    """The guard before every handler, by the table of permissions."""
    forbidden = metrics.counter("tm_auth_total").labels("forbidden")

    # A coroutine although it awaits nothing: Litestar runs other guards in a thread, for each request.
    async def guard(connection: Connection, handler: BaseRouteHandler) -> None:
        operation = handler.opt.get("operation")
        if _is_options(connection) or (operation is None and is_public(connection.scope["path"])):
            return
        principal = principal_of(connection)
        decision = authorize(principal, operation, connection.path_params.get("tenant"))
        if decision is Decision.ABSENT:
            raise make_not_found(connection)
        if decision is Decision.FORBIDDEN:
            forbidden.inc()
            raise Forbidden(principal, str(operation))

    return guard


def _needs_credential(scope: HTTPScope) -> bool:
    return scope["method"] != HttpMethod.OPTIONS and not is_public(scope["path"])


def _is_options(connection: Connection) -> bool:
    # Litestar's own handler responds to OPTIONS with the methods of the path, which are public at /schema.
    return connection.scope.get("method") == HttpMethod.OPTIONS


def no_such_path(_: Connection) -> Exception:
    """The error for a path without a handler."""
    return NotFoundException()
