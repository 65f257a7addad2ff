"""The watch API over fakes, and a caller that may watch."""

from contextlib import AbstractAsyncContextManager
from typing import Any

from data_plane.app import build_app
from data_plane.http.sse.stream import Pace
from data_plane.http.watch import watch_handler
from shared.runtime.health import Health
from shared.runtime.metric_catalogue import Service
from shared.schemas.access import Role
from shared.schemas.identity import RouteKey
from tests.fakes.data_plane_world import KEY, Instance, World
from tests.support.access import AccessFixture, bearer
from tests.support.lifespan import Application
from tests.support.streaming import OpenAnswer, opened

PATH = f"/api/v1/watch/{KEY.tenant}"
QUICK = Pace(progress_seconds=0.05, slow_seconds=0.2)
UNHURRIED = Pace(progress_seconds=60, slow_seconds=60)


class Served:
    """An instance behind its HTTP interface, and a caller that may watch."""

    def __init__(self, pace: Pace = UNHURRIED, **settings: Any) -> None:
        self.gate = AccessFixture(Service.DATA_PLANE)
        self.key = self.gate.admit(Role.RESOLVER, KEY.tenant)
        self.world = World()
        self.instance: Instance = self.world.instance(knows_the_time=True, listening=True, **settings)
        core = self.instance.core
        self.app: Application = build_app(
            core.resolver,
            core.bulk,
            core.explainer,
            further=[watch_handler(core.watches, self.gate.authenticator, pace)],
            access=self.gate.access,
            negative_ttl=10,
            health=Health({}),
            metrics=self.instance.metrics,
        )

    async def change(self, url: str | None, key: RouteKey = KEY) -> None:
        """Commit a change and apply it."""
        event = self.world.database.commit(key, url)
        self.world.clock.advance(0.01)
        await self.instance.core.applier.apply([event])

    def watch(self, query: str = "", **headers: str) -> AbstractAsyncContextManager[OpenAnswer]:
        return self.get(PATH, query, **headers)

    def get(self, path: str, query: str = "", **headers: str) -> AbstractAsyncContextManager[OpenAnswer]:
        return opened(self.app, path, query, **bearer(self.key), **headers)

    async def closed(self, reason: str) -> bool:
        """Whether one watch was closed for this reason."""
        return self.instance.count("tm_watch_closed_total", reason=reason) == 1


async def served_with_a_route(pace: Pace = UNHURRIED) -> Served:
    """There is one change: the route is active."""
    served = Served(pace)
    await served.change("https://v1")
    return served
