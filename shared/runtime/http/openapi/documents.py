"""The OpenAPI document as JSON and YAML, each rendered once: rendering takes longer than thousands of resolves."""

from typing import Any

import msgspec
from litestar import Request
from litestar.enums import OpenAPIMediaType
from litestar.openapi.plugins import OpenAPIRenderPlugin
from litestar.serialization import decode_json


class JsonDocument(OpenAPIRenderPlugin):
    """The document at /schema/openapi.json."""

    def __init__(self) -> None:
        super().__init__(path="/openapi.json", media_type=OpenAPIMediaType.OPENAPI_JSON)
        self._rendered: bytes | None = None

    def render(self, request: Request[Any, Any, Any], openapi_schema: dict[str, Any]) -> bytes:
        if self._rendered is None:
            self._rendered = self.render_json(request, openapi_schema)
        return self._rendered


class YamlDocument(OpenAPIRenderPlugin):
    """The document at /schema/openapi.yaml."""

    def __init__(self, document: JsonDocument) -> None:
        super().__init__(path=("/openapi.yaml", "/openapi.yml"), media_type=OpenAPIMediaType.OPENAPI_YAML)
        self._document = document
        self._rendered: bytes | None = None

    def render(self, request: Request[Any, Any, Any], openapi_schema: dict[str, Any]) -> bytes:
        if self._rendered is None:
            # Of the JSON text, which has no values of Litestar's own types.
            self._rendered = msgspec.yaml.encode(decode_json(self._document.render(request, openapi_schema)))
        return self._rendered
