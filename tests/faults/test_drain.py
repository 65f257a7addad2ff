"""No request fails while the instances of a service restart one after the other."""

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
    """A load balancer: sends requests to instances that report ready."""

    def __init__(self, http: httpx2.AsyncClient, instances: list[str]) -> None:
        self._http = http
        self._instances = instances
        self._ready = set(instances)
        self._turn = 0

    async def watch(self) -> None:
        """Checks the readiness of every instance ten times a second."""
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
        """Whether the instance was ready at its last check."""
        return instance in self._ready

    def pick(self) -> str:
        """The next ready instance."""
        self._turn += 1
        ready = sorted(self._ready)
        return ready[self._turn % len(ready)]


async def load(
    balancer: Balancer, send: Callable[[str], Awaitable[httpx2.Response]], seen: Counter[str], enough: asyncio.Event
) -> None:
    """Sends requests one after the other until `enough` is set, and counts their outcomes."""
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
    """The outcomes of the requests of sixteen clients while each instance is stopped by SIGTERM and started, in turn."""
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
            # The next instance must not stop before this one gets requests again.
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
    second = system.services.add_instance("control_plane", "control-plane-rolling")
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
