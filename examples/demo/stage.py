"""What the steps of the demo share: the routes, the client, and the console."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field

from rich.console import Console

from examples.demo.catalogue import SampleRoute, read_catalogue
from examples.demo.client import DemoClient

TIMEOUT_SECONDS = 10.0
POLL_SECONDS = 0.0005


class DemoFailed(Exception):
    """A step of the demo got an unexpected result."""


def require(condition: bool, result: str) -> None:
    """Raise DemoFailed with the unexpected result unless the condition holds."""
    if not condition:
        raise DemoFailed(result)


async def eventually(condition: Callable[[], Awaitable[bool]]) -> None:
    """Wait until the condition holds. Raises TimeoutError after TIMEOUT_SECONDS."""
    async with asyncio.timeout(TIMEOUT_SECONDS):
        while not await condition():  # noqa: ASYNC110 - the condition depends on another process
            await asyncio.sleep(POLL_SECONDS)


@dataclass(frozen=True, slots=True)
class Stage:
    """The sample routes, a client with the tenants' keys, and the console for results."""

    client: DemoClient
    console: Console
    routes: list[SampleRoute] = field(default_factory=read_catalogue)

    @property
    def moved(self) -> SampleRoute:
        """The route that gets the next version's URL."""
        return self._route("checkout/paymentservice/prod/v1")

    @property
    def deactivated(self) -> SampleRoute:
        """The route that is deactivated."""
        return self._route("storefront/adservice/dev/v1")

    @property
    def next_version(self) -> SampleRoute:
        """The version after the moved route's."""
        return self._route("checkout/paymentservice/prod/v2")

    def say(self, line: str) -> None:
        """Print one result of the step."""
        self.console.print(f"  {line}", highlight=False, soft_wrap=True)

    def _route(self, path: str) -> SampleRoute:
        return next(route for route in self.routes if route.path == path)
