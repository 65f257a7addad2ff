"""Steady requests to the stack under drill: resolves of known and of unknown routes, and writes."""

import asyncio
import contextlib
import itertools
import random
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable

import httpx2

_TENANTS = 10
_ROUTES = 10
RESOLVES_PER_SECOND = 40.0
WRITES_PER_SECOND = 2.0


class Load:
    """Requests at a fixed pace. Failures are counted, never raised: the drill breaks things on purpose."""

    def __init__(self, http: httpx2.AsyncClient, control: str, resolvers: list[str], audit: str) -> None:
        self._http = http
        self._control, self._resolvers, self._audit = control, itertools.cycle(resolvers), audit
        self._random = random.Random(0)  # noqa: S311 - chooses routes
        self._unknown = itertools.count()
        self.writes = True
        self.unknown_routes = False
        """Whether to resolve routes that no cache has seen, so that every request needs a source."""
        self.statuses: Counter[int] = Counter()

    async def prepare(self) -> None:
        """Create the tenants and routes."""
        for tenant in range(_TENANTS):
            (await self._http.put(f"{self._control}/api/v1/tenants/drill-{tenant}")).raise_for_status()
            for route in range(_ROUTES):
                await self._put(tenant, route, "first")

    @contextlib.asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Send requests until the block ends."""
        async with asyncio.TaskGroup() as group:
            tasks = [
                group.create_task(self._every(1 / RESOLVES_PER_SECOND, self._resolve, group)),
                group.create_task(self._every(1 / WRITES_PER_SECOND, self._write, group)),
                group.create_task(self._every(1.0, self._query_audit, group)),
            ]
            try:
                yield
            finally:
                for task in tasks:
                    task.cancel()

    async def _every(self, seconds: float, action: Callable[[], Awaitable[None]], group: asyncio.TaskGroup) -> None:
        """An open loop: a slow answer delays no later request."""
        while True:
            group.create_task(self._counted(action))
            await asyncio.sleep(seconds)

    async def _counted(self, action: Callable[[], Awaitable[None]]) -> None:
        with contextlib.suppress(httpx2.HTTPError):
            await action()

    async def _resolve(self) -> None:
        tenant, route = self._random.randrange(_TENANTS), self._random.randrange(_ROUTES)
        name = f"unknown-{next(self._unknown)}" if self.unknown_routes else f"service-{route}"
        answer = await self._http.get(f"{next(self._resolvers)}/api/v1/resolve/drill-{tenant}/{name}/prod/v1")
        self.statuses[answer.status_code] += 1

    async def _write(self) -> None:
        if self.writes:
            tenant, route = self._random.randrange(_TENANTS), self._random.randrange(_ROUTES)
            await self._put(tenant, route, str(self._random.randrange(10**9)))

    async def _query_audit(self) -> None:
        await self._http.get(f"{self._audit}/api/v1/audit/recent", params={"tenant": "drill-0", "limit": 1})

    async def _put(self, tenant: int, route: int, host: str) -> None:
        path = f"/api/v1/tenants/drill-{tenant}/routes/service-{route}/prod/v1"
        await self._http.put(f"{self._control}{path}", json={"url": f"http://{host}.example"})
