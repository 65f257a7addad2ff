"""`Allow` on responses to OPTIONS."""

from litestar import Litestar
from litestar.enums import ScopeType
from litestar.types import Message, Receive, Scope, Send


class OptionsAllowMiddleware:
    """Lists every method of the path in `Allow`: Litestar lists only those of the handler that was registered first."""

    def __init__(self, app: Litestar) -> None:
        self._app = app
        self._allowed = {route.path_format: ", ".join(sorted(route.methods)).encode() for route in app.routes}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != ScopeType.HTTP or scope["method"] != "OPTIONS":
            await self._app(scope, receive, send)
            return

        async def send_with_allow(message: Message) -> None:
            allowed = self._allowed.get(scope.get("path_template", ""))
            if message["type"] == "http.response.start" and allowed is not None:
                message["headers"] = [*((n, v) for n, v in message["headers"] if n != b"allow"), (b"allow", allowed)]
            await send(message)

        await self._app(scope, receive, send_with_allow)
