"""The methods that every path has besides its own: OPTIONS, which lists them in `Allow`, and HEAD wherever there is GET."""

import asyncio
from collections.abc import Iterable
from typing import cast

from litestar import Litestar
from litestar.enums import ScopeType
from litestar.types import ASGIApp, HTTPReceiveMessage, Message, Receive, Scope, Send


class AllowMiddleware:
    """Lists every method of the path in `Allow`.

    Litestar lists only those of the handler that was registered first on OPTIONS, and knows no HEAD.
    """

    def __init__(self, app: Litestar) -> None:
        self._app = app
        methods = {route.path_format: set(map(str, route.methods)) for route in app.routes}
        self._allowed = {path: b", ".join(_with_head(each)) for path, each in methods.items()}
        self._of_any_path = b", ".join(_with_head(set().union(*methods.values())))

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != ScopeType.HTTP:
            await self._app(scope, receive, send)
            return
        if scope["method"] == "OPTIONS" and scope["path"] == "*":  # of the whole server: RFC 9110, section 9.3.7
            await send({"type": "http.response.start", "status": 204, "headers": [(b"allow", self._of_any_path)]})
            await send({"type": "http.response.body", "body": b"", "more_body": False})
            return

        async def send_with_allow(message: Message) -> None:
            if message["type"] == "http.response.start":
                message["headers"] = [self._corrected(scope, *each) for each in message["headers"]]
            await send(message)

        await self._app(scope, receive, send_with_allow)

    def _corrected(self, scope: Scope, name: bytes, value: bytes) -> tuple[bytes, bytes]:
        if name != b"allow":
            return name, value
        listed = b", ".join(_with_head(value.decode().split(", ")))
        return name, self._allowed.get(scope.get("path_template", ""), listed)


class HeadMiddleware:
    """Answers HEAD as GET, without the body (RFC 9110, section 9.3.2)."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != ScopeType.HTTP or scope["method"] != "HEAD":
            await self._app(scope, receive, send)
            return
        response = _HeaderOnly(receive, send)
        scope["method"] = "GET"
        try:
            await self._app(scope, response.receive, response.send)
        finally:
            scope["method"] = "HEAD"


class _HeaderOnly:
    """Passes a response on until its body begins; to a handler that streams one, the client then seems to have left."""

    def __init__(self, receive: Receive, send: Send) -> None:
        self._receive = receive
        self._send = send
        self._has_received = False
        self._body_began = asyncio.Event()

    async def receive(self) -> HTTPReceiveMessage:
        if not self._has_received:
            self._has_received = True
            return cast(HTTPReceiveMessage, await self._receive())
        await self._body_began.wait()
        return {"type": "http.disconnect"}

    async def send(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            await self._send(message)
        elif not self._body_began.is_set():
            self._body_began.set()
            await self._send({"type": "http.response.body", "body": b"", "more_body": False})


def _with_head(methods: Iterable[str]) -> list[bytes]:
    listed = set(methods)
    return [each.encode() for each in sorted(listed | {"HEAD"} if "GET" in listed else listed)]
