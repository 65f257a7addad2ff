"""Read limits at the HTTP edge: 429 with `Retry-After`."""

from collections.abc import Sequence

from litestar import Router
from litestar.enums import ScopeType
from litestar.handlers import BaseRouteHandler
from litestar.types import ASGIApp, ControllerRouterHandler, Message, Receive, Scope, Send

from shared.runtime.access.principal import Principal
from shared.runtime.http.authentication import Connection, principal_of
from shared.runtime.read_limits import ReadLimits

SAFE_METHODS = frozenset({"GET", "HEAD"})
_STATE_KEY = "limited_reader"


def limited_reads(
    handlers: Sequence[ControllerRouterHandler], limits: ReadLimits, methods: frozenset[str] = SAFE_METHODS
) -> Router:
    """The handlers, with requests of these methods limited by their caller: its tenant, or an admin's credential.

    Admission is a guard because the application's access guard runs before it. The tenant in the path does not count: an
    admin's reads must not use up a tenant's limit.
    """

    async def admit(connection: Connection, _: BaseRouteHandler) -> None:
        if connection.scope["type"] == ScopeType.HTTP and connection.scope["method"] in methods:
            caller = _name(principal_of(connection))
            limits.admit(caller)
            connection.scope["state"][_STATE_KEY] = caller

    def middleware(app: ASGIApp) -> ASGIApp:
        async def handle(scope: Scope, receive: Receive, send: Send) -> None:
            async def send_and_charge(message: Message) -> None:
                caller = scope["state"].get(_STATE_KEY)
                if caller is not None and message["type"] == "http.response.body":
                    limits.charge(caller, len(message.get("body", b"")))
                await send(message)

            await app(scope, receive, send_and_charge)

        return handle

    return Router("/", route_handlers=handlers, guards=[admit], middleware=[middleware])


def _name(principal: Principal) -> str:
    return principal.credential if principal.tenant is None else principal.tenant
