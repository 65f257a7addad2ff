"""The resolver's HTTP API over an instance in memory, without the layer before it."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import httpx2

from data_plane.app import build_app
from shared.runtime.access.assembly import Access
from shared.runtime.access.open_access import OpenAccess
from shared.runtime.health import Health
from tests.fakes.data_plane_world import KEY, Instance

PATH = f"/api/v1/resolve/{KEY.tenant}/{KEY.service}/{KEY.env}/{KEY.version}"


@asynccontextmanager
async def client_of(instance: Instance) -> AsyncIterator[httpx2.AsyncClient]:
    """A client of the instance's HTTP API."""
    app = build_app(
        instance.core.resolver,
        instance.core.bulk,
        instance.core.explainer,
        access=Access(OpenAccess()),
        negative_ttl=10,
        health=Health({}),
        metrics=instance.metrics,
    )
    transport = httpx2.ASGITransport(app=app, raise_app_exceptions=False)  # type: ignore[arg-type]
    async with httpx2.AsyncClient(transport=transport, base_url="http://test") as client:
        yield client
