"""The watch API over fakes, and a caller with access to it."""

from contextlib import AbstractAsyncContextManager
from typing import Any

from shared.runtime.service import Service
from shared.schemas.access import Role
from shared.schemas.identity import RouteKey
from tests.fakes.data_plane_world import KEY, Instance, World
from tests.support.access import AccessFixture, bearer
from tests.support.lifespan import Application
from tests.support.resolver_client import app_of
from tests.support.streaming import OpenResponse, open_response

PATH = f"/api/v1/watch/{KEY.tenant}"
QUICK = {"watch_progress_seconds": 0.05, "watch_send_timeout_seconds": 0.2}
"""Settings of a stream on which progress events and the slow-client timeout come within a test."""
_UNHURRIED = {"watch_progress_seconds": 60, "watch_send_timeout_seconds": 60}


class WatchServer:
    """An instance behind its HTTP API, and the access key of a resolver of the tenant."""

    def __init__(self, **settings: Any) -> None:
        self.access = AccessFixture(Service.DATA_PLANE)
        self.key = self.access.admit(Role.RESOLVER, KEY.tenant)
        self.world = World()
        self.instance: Instance = self.world.instance(**{**_UNHURRIED, **settings})
        self.app: Application = app_of(self.instance, self.access.access)

    async def change(self, url: str | None, key: RouteKey = KEY) -> None:
        """Commits a change and applies it."""
        event = self.world.database.commit(key, url)
        self.world.clock.advance(0.01)
        await self.instance.core.applier.apply([event])

    def watch(self, query: str = "", **headers: str) -> AbstractAsyncContextManager[OpenResponse]:
        return self.get(PATH, query, **headers)

    def get(self, path: str, query: str = "", **headers: str) -> AbstractAsyncContextManager[OpenResponse]:
        return open_response(self.app, path, query, **bearer(self.key), **headers)

    async def closed(self, reason: str) -> bool:
        """Whether one watch was closed for this reason."""
        return self.instance.count("tm_watch_closed_total", reason=reason) == 1


async def watch_server_with_a_route(**settings: Any) -> WatchServer:
    """A server with one change applied: the route is active."""
    server = WatchServer(**settings)
    await server.change("https://v1")
    return server
