"""A change set is applied atomically: no reader of one resolver sees a part of it."""

import asyncio
from typing import Any

from shared.schemas.identity import RouteKey
from tests.support.system import System

GENERATIONS = 40
ROUTES = ("one", "two")


async def test_no_reader_of_one_resolver_sees_a_part_of_a_change_set(system: System) -> None:
    tenant = await system.new_tenant()
    await _switch(system, tenant, 0)
    for service in ROUTES:
        await system.until_resolved(_key(tenant, service), _url(0))
    done = asyncio.Event()
    async with asyncio.TaskGroup() as tasks:
        readers = [tasks.create_task(_read(system, each, tenant, done)) for each in system.resolver_urls * 2]
        for generation in range(1, GENERATIONS + 1):
            await _switch(system, tenant, generation)
        await system.until_resolved(_key(tenant, ROUTES[0]), _url(GENERATIONS))
        done.set()
    seen = [each.result() for each in readers]
    assert all(len(each) > 3 for each in seen), "the readers did not read while it was changed"


async def _switch(system: System, tenant: str, generation: int) -> None:
    changes: list[dict[str, Any]] = [
        {"op": "put", "service": each, "env": "prod", "version": "v1", "url": _url(generation)} for each in ROUTES
    ]
    answer = await system.http.post(f"{system.control_url}/api/v1/tenants/{tenant}/changes", json={"changes": changes})
    assert answer.status_code == 200, answer.text


async def _read(system: System, resolver: str, tenant: str, done: asyncio.Event) -> set[int]:
    """The generations that a reader saw. Consecutive reads never return an older one."""
    seen = [0]
    while not done.is_set():
        for service in ROUTES:
            url = await system.resolved_url(resolver, _key(tenant, service))
            assert url is not None
            seen.append(int(url.rsplit("/", 1)[-1]))
            assert seen[-1] >= seen[-2], f"{service} at {seen[-1]} after the other route at {seen[-2]}"
    return set(seen)


def _key(tenant: str, service: str) -> RouteKey:
    return RouteKey(tenant, service, "prod", "v1")


def _url(generation: int) -> str:
    return f"http://generation/{generation}"
