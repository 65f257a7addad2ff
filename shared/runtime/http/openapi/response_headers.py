"""The headers of answers in the OpenAPI document."""

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from litestar import Litestar
from litestar.datastructures import ResponseHeader
from litestar.openapi.spec import OpenAPIHeader, OpenAPIResponse, OpenAPIType, Operation, Schema
from litestar.routes import HTTPRoute

from shared.runtime import correlation

_CORRELATION = ResponseHeader(
    name=correlation.HEADER,
    description="The caller's, or a new one: logs, traces and the audit trail know the request by it",
    value="req-5f2d1c3b4a596877",
    documentation_only=True,
)


def document_headers(app: Litestar) -> None:
    """List each handler's `response_headers` with every success that it documents, and what every answer of the API has.

    Litestar forgets the former where a handler's `responses` tell of the success themselves.
    """
    for operation, of_success in _operations(app):
        for status, response in (operation.responses or {}).items():
            if isinstance(response, OpenAPIResponse):
                those = [_CORRELATION, *(of_success if status.startswith("2") else ())]
                response.headers = {**(response.headers or {}), **{each.name: _shown(each) for each in those}}


def answering_with(headers: Mapping[int, Iterable[ResponseHeader]]) -> type[Operation]:
    """An operation whose answers carry these headers, by status: for those that are no success."""

    class Answering(Operation):
        def to_schema(self) -> dict[str, Any]:
            schema = super().to_schema()
            for status, those in headers.items():
                shown = schema["responses"][str(status)].setdefault("headers", {})
                shown.update({each.name: _shown(each).to_schema() for each in those})
            return schema

    return Answering


def _operations(app: Litestar) -> Iterator[tuple[Operation, Iterable[ResponseHeader]]]:
    """The documented operations of the API, each with the headers that its handler names."""
    for route in app.routes:
        item = (app.openapi_schema.paths or {}).get(route.path_format)
        if isinstance(route, HTTPRoute) and item is not None and route.path.startswith("/api/"):
            for handler in route.route_handlers:
                for method in handler.http_methods:
                    operation = getattr(item, method.lower())
                    if operation is not None:
                        yield operation, handler.resolve_response_headers()


def _shown(header: ResponseHeader) -> OpenAPIHeader:
    return OpenAPIHeader(schema=Schema(type=OpenAPIType.STRING), description=header.description, example=header.value)
