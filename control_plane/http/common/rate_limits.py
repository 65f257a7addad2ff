"""Writes are admitted here, and told where they stand: 429 with `Retry-After`, `RateLimit` and `RateLimit-Policy`.

The fields are those of draft-ietf-httpapi-ratelimit-headers-11.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from litestar import Router
from litestar.connection import ASGIConnection
from litestar.enums import ScopeType
from litestar.handlers import BaseRouteHandler
from litestar.types import ASGIApp, ControllerRouterHandler, Message, Receive, Scope, Send

from control_plane.service.write_limits import RateLimitStatus, WriteLimits
from shared.runtime.http.authentication import principal_of

_SAFE = frozenset({"GET", "HEAD", "OPTIONS"})
_STATE = "write_limits"


@dataclass(slots=True)
class _Write:
    tenant: str | None
    credential: str
    admitted: bool = False


def rate_limited(handlers: Sequence[ControllerRouterHandler], limits: WriteLimits) -> Router:
    """The handlers, with their writes limited.

    Admission is a guard, because guards of the application come before it: who may not write to a tenant must not use
    up what that tenant may write.
    """

    async def admit(connection: ASGIConnection[Any, Any, Any, Any], _: BaseRouteHandler) -> None:
        if connection.scope["type"] == ScopeType.HTTP and connection.scope["method"] not in _SAFE:
            write = _Write(connection.path_params.get("tenant"), principal_of(connection).credential)
            connection.scope["state"][_STATE] = write
            limits.enter(write.tenant, write.credential)
            write.admitted = True

    def telling(app: ASGIApp) -> ASGIApp:
        async def tell(scope: Scope, receive: Receive, send: Send) -> None:
            async def send_with_standings(message: Message) -> None:
                write = scope["state"].get(_STATE)
                if message["type"] == "http.response.start" and write is not None:
                    statuses = limits.statuses(write.tenant, write.credential)
                    message["headers"] = [*message["headers"], *_fields(statuses)]
                await send(message)

            try:
                await app(scope, receive, send_with_standings)
            finally:
                write = scope["state"].get(_STATE)
                if write is not None and write.admitted:
                    limits.leave(write.tenant)

        return tell

    return Router("/", route_handlers=handlers, guards=[admit], middleware=[telling])


def _fields(statuses: Sequence[RateLimitStatus]) -> list[tuple[bytes, bytes]]:
    if not statuses:
        return []
    policies = (f'"{each.policy}";q={each.rate.burst};w={each.rate.window_seconds}' for each in statuses)
    levels = (f'"{each.policy}";r={each.level.remaining};t={math.ceil(each.level.full_after)}' for each in statuses)
    return [
        (b"ratelimit-policy", ", ".join(policies).encode()),
        (b"ratelimit", ", ".join(levels).encode()),
    ]
