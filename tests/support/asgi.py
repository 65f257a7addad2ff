"""Sends one request to an ASGI application, as a server does, and returns its messages."""

from collections.abc import Awaitable, Callable, MutableMapping, Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import unquote

Application = Callable[[Any, Callable[[], Awaitable[Any]], Callable[[Any], Awaitable[None]]], Awaitable[None]]


@dataclass(frozen=True, slots=True)
class Request:
    """A request. `path` is percent-encoded, as on the wire."""

    path: str
    method: str = "GET"
    query: bytes = b""
    headers: Sequence[tuple[bytes, bytes]] = ()
    body: bytes = b""

    def scope(self) -> dict[str, Any]:
        """The ASGI scope, with the values that granian sets."""
        return {
            "type": "http",
            "asgi": {"version": "3.0", "spec_version": "2.3"},
            "extensions": {},
            "http_version": "1.1",
            "server": ("127.0.0.1", "8000"),
            "client": ("127.0.0.1", "50000"),
            "scheme": "http",
            "method": self.method,
            "path": unquote(self.path),
            "raw_path": self.path.encode(),
            "query_string": self.query,
            "root_path": "",
            "headers": list(self.headers),
            "state": {},
        }


async def response_messages(app: Application, request: Request) -> list[MutableMapping[str, Any]]:
    """The messages that the application sends in response."""
    sent: list[MutableMapping[str, Any]] = []

    async def receive() -> MutableMapping[str, Any]:
        return {"type": "http.request", "body": request.body, "more_body": False}

    async def send(message: MutableMapping[str, Any]) -> None:
        sent.append(message)

    await app(request.scope(), receive, send)
    return sent
