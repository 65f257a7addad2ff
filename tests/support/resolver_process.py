"""Resolvers on real servers, run inside the test process."""

from collections.abc import Callable
from contextlib import AbstractAsyncContextManager

import httpx2

from data_plane.composition.app import build_app
from data_plane.composition.connect import ResolverProcess
from shared.schemas.identity import RouteKey

StartResolver = Callable[..., AbstractAsyncContextManager[ResolverProcess]]
"""Starts a resolver; keywords are its settings."""


async def resolve_over_http(process: ResolverProcess, key: RouteKey) -> httpx2.Response:
    """The response of the HTTP API, without a network."""
    app = build_app(
        process.core, process.settings, access=process.access, health=process.health, metrics=process.metrics
    )
    transport = httpx2.ASGITransport(app=app, raise_app_exceptions=False)  # type: ignore[arg-type]
    async with httpx2.AsyncClient(transport=transport, base_url="http://resolver") as http:
        return await http.get(f"/api/v1/resolve/{key.tenant}/{key.service}/{key.env}/{key.version}")
