"""Writes change sets in this process, with the control plane's own service and adapter and without HTTP."""

import asyncio
import itertools
import logging
import sys
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import structlog

from control_plane.adapters.postgres.change_sets import PostgresChangeSets
from control_plane.adapters.postgres.primary import UNAVAILABLE, Primary
from control_plane.domain.changes import Attribution, WantedChangeSet, WantedRoute
from control_plane.domain.requests import ChangeRequest
from control_plane.service.change_sets import ChangeSetService
from shared.runtime.clock import SystemClock
from shared.runtime.health import DependencyHealth
from shared.runtime.metrics import Metrics
from shared.runtime.resilience import Guard
from shared.runtime.service import Service
from shared.schemas.identity import RouteKey

CLIENTS = 16
DEADLINE_SECONDS = 5
_ROUTES = 100
_BY = Attribution("bench", None, "bench-1")


class ChangeWriter:
    """`CLIENTS` concurrent writers. Each change set changes one route; the tenants take turns."""

    def __init__(self, changes: ChangeSetService) -> None:
        self._changes = changes
        self._numbers = itertools.count(time.time_ns())

    async def write(self, tenants: list[str], goes_on: Callable[[int], bool]) -> int:
        """Write while `goes_on` of the number of change sets begun so far is true. Returns the number written."""
        begun = 0

        async def client() -> int:
            nonlocal begun
            done = 0
            while goes_on(begun):
                begun += 1
                await self._write_one(tenants[begun % len(tenants)])
                done += 1
            return done

        async with asyncio.TaskGroup() as group:
            tasks = [group.create_task(client()) for _ in range(CLIENTS)]
        return sum(each.result() for each in tasks)

    async def _write_one(self, tenant: str) -> None:
        number = next(self._numbers)
        key = RouteKey(tenant, f"service-{number % _ROUTES}", "prod", "v1")
        wanted = WantedRoute(key, is_active=True, url=f"http://bench/{number}")
        await self._changes.carry_out(ChangeRequest(WantedChangeSet(tenant, (wanted,)), _BY))


@asynccontextmanager
async def change_writer(url: str) -> AsyncIterator[ChangeWriter]:
    """A writer on the PostgreSQL at this URL, with a connection per client."""
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.WARNING))  # not a line per write
    metrics = Metrics(Service.CONTROL_PLANE)
    health = DependencyHealth(required=True)
    guard = Guard(
        "postgres", timeout=DEADLINE_SECONDS, failures=UNAVAILABLE, clock=SystemClock(), health=health, metrics=metrics
    )
    async with Primary(url, size=CLIENTS, deadline_seconds=DEADLINE_SECONDS, guard=guard) as primary:
        yield ChangeWriter(
            ChangeSetService(
                PostgresChangeSets(primary, metrics),
                route_quota=sys.maxsize,
                on_commit=lambda: None,
                deadline_seconds=DEADLINE_SECONDS,
                metrics=metrics,
            )
        )


def postgres_url(state: Path) -> str:
    """The URL of the running local stack's primary."""
    lines = (state / "env").read_text().splitlines()
    return next(line.partition("=")[2] for line in lines if line.startswith("TM_POSTGRES_URL="))
