"""Deprecated operations: their dates in every response and in the OpenAPI document (docs/api-versions.md)."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from email.utils import format_datetime

from litestar.datastructures import ResponseHeader
from litestar.enums import ScopeType
from litestar.openapi.spec import OpenAPI, OpenAPIResponse, Operation
from litestar.types import ASGIApp, Message, Receive, Scope, Send

from shared.runtime.http.openapi.response_headers import openapi_header

Header = tuple[bytes, bytes]


@dataclass(frozen=True, slots=True)
class Deprecation:
    """The end of an operation. Times are in UTC.

    `since`: from when on the operation is deprecated, also in the future. `sunset`: from when on it may be gone. `link`:
    the URL of a description of the change. Raises ValueError when the sunset is not after `since`.
    """

    since: datetime
    sunset: datetime
    link: str

    def __post_init__(self) -> None:
        if self.sunset <= self.since:
            raise ValueError(f"the sunset {self.sunset} must be after the deprecation {self.since}")

    @property
    def headers(self) -> Mapping[str, str]:
        """The headers of RFC 9745 (a date of RFC 9651) and RFC 8594 (an HTTP date)."""
        return {
            "Deprecation": f"@{int(self.since.timestamp())}",
            "Sunset": format_datetime(self.sunset, usegmt=True),
            "Link": f'<{self.link}>; rel="deprecation"; type="text/html"',
        }


Deprecations = Mapping[str, Deprecation]
"""By operation: the method and the path as in the OpenAPI document, as in `GET /api/v1/watch/{tenant}`."""

DEPRECATIONS: Deprecations = {}
"""The deprecated operations of all three services."""

_DESCRIPTIONS = {
    "Deprecation": "Time since which the operation is deprecated (RFC 9745)",
    "Sunset": "Time after which the operation may be gone (RFC 8594)",
    "Link": "Description of the change, with `rel=deprecation`",
}


def deprecation_headers(operation: str, deprecations: Deprecations = DEPRECATIONS) -> Sequence[Header]:
    """The headers of responses of this operation, as ASGI has them; none when it is not deprecated."""
    found = deprecations.get(operation)
    return () if found is None else [(name.lower().encode(), value.encode()) for name, value in found.headers.items()]


class DeprecationMiddleware:
    """Adds the headers to the responses of deprecated operations, once the router has found the operation."""

    def __init__(self, app: ASGIApp, deprecations: Deprecations) -> None:
        self._app = app
        self._headers = {each: deprecation_headers(each, deprecations) for each in deprecations}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        async def send_with_dates(message: Message) -> None:
            if message["type"] == "http.response.start" and scope["type"] == ScopeType.HTTP:
                added = self._headers.get(f"{scope['method']} {scope.get('path_template', '')}", ())
                message["headers"] = [*message["headers"], *added]
            await send(message)

        await self._app(scope, receive, send_with_dates)


def document_deprecations(document: OpenAPI, deprecations: Deprecations) -> None:
    """Mark the deprecated operations in the document, with the headers of their responses."""
    for name, operation in _operations(document):
        deprecation = deprecations.get(name)
        if deprecation is not None:
            operation.deprecated = True
            _document_headers(operation, deprecation)


def _document_headers(operation: Operation, deprecation: Deprecation) -> None:
    described = {
        name: openapi_header(
            ResponseHeader(name=name, value=value, description=_DESCRIPTIONS[name], documentation_only=True)
        )
        for name, value in deprecation.headers.items()
    }
    for response in (operation.responses or {}).values():
        if isinstance(response, OpenAPIResponse):
            response.headers = {**(response.headers or {}), **described}


def _operations(document: OpenAPI) -> Iterator[tuple[str, Operation]]:
    for path, item in (document.paths or {}).items():
        for method in ("get", "put", "post", "delete", "patch"):
            operation = getattr(item, method)
            if operation is not None:
                yield f"{method.upper()} {path}", operation
