"""The resolver's HTTP API over an instance on fakes."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import httpx2

from data_plane.composition.app import build_app
from data_plane.http.fast_path.middleware import FastPath
from shared.runtime.access.assembly import Access
from shared.runtime.access.open_access import OpenAccess
from shared.runtime.health import Health
from tests.fakes.data_plane_world import KEY, Instance

PATH = f"/api/v1/resolve/{KEY.tenant}/{KEY.service}/{KEY.env}/{KEY.version}"


def app_of(instance: Instance, access: Access | None = None) -> FastPath:
    """The instance's application; without `access`, every caller is accepted."""
    return build_app(
        instance.core,
        instance.settings,
        access=access or Access(OpenAccess()),
        health=Health({}, started=True),
        metrics=instance.metrics,
    )


@asynccontextmanager
async def client_of(instance: Instance) -> AsyncIterator[httpx2.AsyncClient]:
    """A client of the instance's HTTP API."""
    transport = httpx2.ASGITransport(app=app_of(instance), raise_app_exceptions=False)  # type: ignore[arg-type]
    async with httpx2.AsyncClient(transport=transport, base_url="http://test") as client:
        yield client
