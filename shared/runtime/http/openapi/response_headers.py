"""Response headers in the OpenAPI document."""

from collections.abc import Iterable, Iterator

from litestar import Litestar
from litestar.datastructures import ResponseHeader
from litestar.openapi.spec import OpenAPIHeader, OpenAPIResponse, OpenAPIType, Operation, Schema
from litestar.routes import HTTPRoute

from shared.runtime import correlation

_CORRELATION_ID = ResponseHeader(
    name=correlation.HEADER,
    description="The request's correlation id: the caller's, or a new one. Logs, traces and the audit trail carry it",
    value=correlation.EXAMPLE,
    documentation_only=True,
)


def _header(name: str, value: str, description: str) -> ResponseHeader:
    return ResponseHeader(name=name, description=description, value=value, documentation_only=True)


RETRY_AFTER = _header("Retry-After", "1", "Seconds to wait before trying again")
_OF_STATUS = {
    "401": [_header("WWW-Authenticate", "Bearer", "How to authenticate (RFC 6750)")],
    "415": [_header("Accept-Encoding", "identity", "Encodings of bodies that are accepted")],
    "429": [RETRY_AFTER],
    "503": [RETRY_AFTER],
}
"""Headers of every response with this status."""


def document_response_headers(app: Litestar) -> None:
    """Add each handler's `response_headers` to its successful responses, and those of its status to each response.

    Litestar drops a handler's `response_headers` where its `responses` already describe the success.
    """
    for operation, success_headers in _operations(app):
        for status, response in (operation.responses or {}).items():
            if isinstance(response, OpenAPIResponse):
                of_status = success_headers if status.startswith("2") else _OF_STATUS.get(status, ())
                headers = [_CORRELATION_ID, *of_status]
                response.headers = {**(response.headers or {}), **{each.name: openapi_header(each) for each in headers}}


def openapi_header(header: ResponseHeader) -> OpenAPIHeader:
    """The header as a part of an OpenAPI response."""
    return OpenAPIHeader(schema=Schema(type=OpenAPIType.STRING), description=header.description, example=header.value)


def _operations(app: Litestar) -> Iterator[tuple[Operation, Iterable[ResponseHeader]]]:
    """The documented operations of the API, each with its handler's `response_headers`."""
    for route in app.routes:
        item = (app.openapi_schema.paths or {}).get(route.path_format)
        if isinstance(route, HTTPRoute) and item is not None and route.path.startswith("/api/"):
            for handler in route.route_handlers:
                for method in handler.http_methods:
                    operation = getattr(item, method.lower())
                    if operation is not None:
                        yield operation, handler.resolve_response_headers()
