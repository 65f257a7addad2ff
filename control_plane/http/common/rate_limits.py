"""Write limits at the HTTP edge: 429 with `Retry-After`, and `RateLimit` and `RateLimit-Policy` on every write.

The fields are those of draft-ietf-httpapi-ratelimit-headers-11.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

from litestar import Router
from litestar.enums import ScopeType
from litestar.handlers import BaseRouteHandler
from litestar.types import ASGIApp, ControllerRouterHandler, Message, Receive, Scope, Send

from control_plane.service.write_limits import RateLimitStatus, WriteLimits
from shared.runtime.http.authentication import Connection, principal_of

_SAFE_METHODS = frozenset({"GET", "HEAD", "OPTIONS"})
_STATE_KEY = "write_limits"


@dataclass(slots=True)
class _Write:
    tenant: str | None
    credential: str
    admitted: bool = False


def rate_limited(handlers: Sequence[ControllerRouterHandler], limits: WriteLimits) -> Router:
    """The handlers, with their writes limited.

    Admission is a guard because the application's access guard runs before it: a caller without permission must not use
    up a tenant's limit.
    """

    async def admit(connection: Connection, _: BaseRouteHandler) -> None:
        if connection.scope["type"] == ScopeType.HTTP and connection.scope["method"] not in _SAFE_METHODS:
            write = _Write(connection.path_params.get("tenant"), principal_of(connection).credential)
            connection.scope["state"][_STATE_KEY] = write
            limits.enter(write.tenant, write.credential)
            write.admitted = True

    def middleware(app: ASGIApp) -> ASGIApp:
        async def handle(scope: Scope, receive: Receive, send: Send) -> None:
            async def send_with_status(message: Message) -> None:
                write = scope["state"].get(_STATE_KEY)
                if message["type"] == "http.response.start" and write is not None:
                    statuses = limits.statuses(write.tenant, write.credential)
                    message["headers"] = [*message["headers"], *_headers(statuses)]
                await send(message)

            try:
                await app(scope, receive, send_with_status)
            finally:
                write = scope["state"].get(_STATE_KEY)
                if write is not None and write.admitted:
                    limits.leave(write.tenant)

        return handle

    return Router("/", route_handlers=handlers, guards=[admit], middleware=[middleware])


def _headers(statuses: Sequence[RateLimitStatus]) -> list[tuple[bytes, bytes]]:
    if not statuses:
        return []
    policies = (f'"{each.policy}";q={each.rate.burst};w={each.rate.window_seconds}' for each in statuses)
    levels = (
        f'"{each.policy}";r={each.level.remaining};t={math.ceil(each.level.full_after_seconds)}' for each in statuses
    )
    return [
        (b"ratelimit-policy", ", ".join(policies).encode()),
        (b"ratelimit", ", ".join(levels).encode()),
    ]
