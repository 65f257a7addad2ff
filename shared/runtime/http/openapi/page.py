"""The page at /schema: Swagger UI on the service's own OpenAPI document, with every file served by the service itself."""

import hashlib
import html
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from importlib import resources
from typing import Any

from litestar import Request, Response, Router, get
from litestar.datastructures import ResponseHeader
from litestar.exceptions import NotFoundException
from litestar.handlers import HTTPRouteHandler
from litestar.openapi.plugins import OpenAPIRenderPlugin
from litestar.params import FromPath
from litestar.routes import BaseRoute
from litestar.types import ControllerRouterHandler

ROOT = "/schema"
_FOLDER = "assets"
_JAVASCRIPT, _CSS = "text/javascript; charset=utf-8", "text/css; charset=utf-8"
_FILES = {
    "swagger_ui/swagger-ui.css": _CSS,
    "page.css": _CSS,
    "swagger_ui/swagger-ui-bundle.js": _JAVASCRIPT,
    "page.js": _JAVASCRIPT,
}
"""The files of the page in the order in which it loads them, with their content types."""
_HASH_LENGTH = 16
_FOR_EVER = "public, max-age=31536000, immutable"
"""For a name that has the hash of its content (RFC 8246)."""

_POLICY = (
    "default-src 'self'; script-src 'self'; style-src 'self'; img-src 'self' data:; font-src 'none'; object-src 'none'; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
"""`data:` is for the icons in Swagger UI's style sheet."""
_HEADERS = {
    "Content-Security-Policy": _POLICY,
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cache-Control": "no-cache",
}


@dataclass(frozen=True, slots=True)
class Asset:
    """A file that the page loads."""

    content: bytes
    content_type: str


@cache
def assets() -> Mapping[str, Asset]:
    """The assets by name. A name has the hash of the content, so that browsers may keep the asset for ever."""
    folder = resources.files(__package__) / "page_files"
    return {
        _hashed_name(path, content := folder.joinpath(path).read_bytes()): Asset(content, content_type)
        for path, content_type in _FILES.items()
    }


def _hashed_name(path: str, content: bytes) -> str:
    stem, _, extension = path.rpartition("/")[2].rpartition(".")
    return f"{stem}.{hashlib.sha256(content).hexdigest()[:_HASH_LENGTH]}.{extension}"


class DocumentationPage(OpenAPIRenderPlugin):
    """Renders the page. Its URLs are relative, so that it works behind a proxy that adds a prefix to the path."""

    def __init__(self) -> None:
        super().__init__(path="/")

    def render(self, request: Request[Any, Any, Any], openapi_schema: dict[str, Any]) -> bytes:
        # Litestar has removed a slash at the end from `path`.
        base = "" if request.scope["raw_path"].endswith(b"/") else ROOT.removeprefix("/") + "/"
        return _page(openapi_schema["info"]["title"], base).encode()


@cache
def _page(title: str, base: str) -> str:
    urls = [f"{base}{_FOLDER}/{name}" for name in assets()]
    styles = "\n".join(f'<link rel="stylesheet" href="{url}">' for url in urls if url.endswith(".css"))
    scripts = "\n".join(f'<script src="{url}"></script>' for url in urls if url.endswith(".js"))
    return f"""<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{html.escape(title)}</title>
<link rel="icon" href="data:,">
{styles}
</head>
<body>
<div id="api" data-document="{base}openapi.json"></div>
<noscript>This page needs JavaScript. The document itself is <a href="{base}openapi.json">openapi.json</a>.</noscript>
{scripts}
</body>
</html>
"""


def documentation_router() -> Router:
    """The router of /schema, with the assets; Litestar adds the page and the documents."""

    @get(f"/{_FOLDER}/{{name:str}}", sync_to_thread=False)
    def asset(name: FromPath[str]) -> Response[bytes]:
        found = assets().get(name)
        if found is None:
            raise NotFoundException
        return Response(found.content, media_type=found.content_type, headers={"Cache-Control": _FOR_EVER})

    return _KnownPathsRouter(
        ROOT,
        route_handlers=[asset],
        include_in_schema=False,
        response_headers=[ResponseHeader(name=name, value=value) for name, value in _HEADERS.items()],
    )


class _KnownPathsRouter(Router):
    """Without Litestar's own page for unknown paths under /schema: like everywhere, the answer is a problem."""

    def register(self, value: ControllerRouterHandler) -> list[BaseRoute]:
        is_own_page = isinstance(value, HTTPRouteHandler) and "/{path:str}" in value.paths
        return [] if is_own_page else super().register(value)
