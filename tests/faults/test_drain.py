"""Restarting a service one instance at a time costs no request."""

import asyncio
from collections import Counter
from collections.abc import Awaitable, Callable
from contextlib import suppress
from functools import partial

import httpx2

from deploy.local.server import Server
from tests.support.system import System
from tests.support.waiting import eventually


class Balancer:
    """Sends traffic where readiness says to, as a load balancer in front of the instances does."""

    def __init__(self, http: httpx2.AsyncClient, instances: list[str]) -> None:
        self._http = http
        self._instances = instances
        self._ready = set(instances)
        self._turn = 0

    async def watch(self) -> None:
        """Ask every instance for its readiness, ten times a second."""
        while True:
            for each in self._instances:
                await self._ask(each)
            await asyncio.sleep(0.1)

    async def _ask(self, instance: str) -> None:
        ready = False
        with suppress(httpx2.TransportError):
            ready = (await self._http.get(f"{instance}/health/ready")).status_code == 200
        (self._ready.add if ready else self._ready.discard)(instance)

    async def sends_to(self, instance: str) -> bool:
        """Whether it was ready when it was asked last."""
        return instance in self._ready

    def pick(self) -> str:
        """The next ready instance."""
        self._turn += 1
        ready = sorted(self._ready)
        return ready[self._turn % len(ready)]


async def load(
    balancer: Balancer, send: Callable[[str], Awaitable[httpx2.Response]], seen: Counter[str], enough: asyncio.Event
) -> None:
    """Send one request after the other until it is enough, and count how each ended."""
    while not enough.is_set():
        instance = balancer.pick()
        try:
            answer = await send(instance)
        except httpx2.TransportError as error:
            seen[f"{type(error).__name__}: {error}"] += 1
        else:
            seen[str(answer.status_code)] += 1


async def outcomes_while_restarting(
    system: System, instances: list[Server], send: Callable[[str], Awaitable[httpx2.Response]]
) -> Counter[str]:
    """How the requests of sixteen clients end while each instance is stopped by SIGTERM and started again, in turn."""
    seen: Counter[str] = Counter()
    balancer = Balancer(system.http, [each.urls[0] for each in instances])
    enough = asyncio.Event()
    watching = asyncio.create_task(balancer.watch())
    clients = [asyncio.create_task(load(balancer, send, seen, enough)) for _ in range(16)]
    try:
        for each in instances:
            before = seen.total()
            await each.stop()
            await each.start()
            assert seen.total() > before, "no load while it restarted"
            # Only then may the other one go.
            await eventually(partial(balancer.sends_to, each.urls[0]))
    finally:
        enough.set()
        await asyncio.wait(clients)
        watching.cancel()
    return seen


async def test_no_resolve_fails_while_resolvers_restart_under_load(system: System) -> None:
    key = await system.new_key()
    await system.put(key, "http://always-there")
    await system.until_resolved(key, "http://always-there")
    seen = await outcomes_while_restarting(
        system, list(system.services.data_planes), lambda resolver: system.resolve(resolver, key)
    )
    assert set(seen) == {"200"}


async def test_no_write_fails_while_control_planes_restart_under_load(system: System) -> None:
    key = await system.new_key()
    path = system.control_path(key).removeprefix(system.control_url)
    second = system.services.another("control_plane", "control-plane-rolling")
    await second.start()
    numbers = iter(range(10**9))

    async def write(instance: str) -> httpx2.Response:
        return await system.http.put(f"{instance}{path}", json={"url": f"http://write-{next(numbers)}"})

    try:
        seen = await outcomes_while_restarting(system, [system.services.control_plane, second], write)
    finally:
        await second.stop()
    assert set(seen) <= {"200", "201"}
    written = (await system.http.get(system.control_path(key))).json()
    assert written["revision"] == seen.total()
    await system.until_resolved(key, written["url"])
