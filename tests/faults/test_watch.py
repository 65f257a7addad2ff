"""Watches while resolvers restart or are killed, and while Kafka is frozen."""

import asyncio
import secrets
from contextlib import suppress
from datetime import datetime
from urllib.parse import urlsplit

import httpx2
import pytest

from deploy.local.server import Server
from tests.support.sse import ServerEvent, next_change, watch
from tests.support.system import System
from tests.support.waiting import eventually


class Follower:
    """A client that watches a tenant and resumes at the next resolver when a stream ends."""

    def __init__(self, system: System, tenant: str) -> None:
        self._system = system
        self._tenant = tenant
        self._turn = 0
        self.revisions: list[int] = []
        self.snapshots = 0
        self.ends: list[str] = []

    async def until(self, revision: int) -> None:
        """Watches until it has received this revision."""
        async with asyncio.timeout(60):
            while not self.revisions or self.revisions[-1] < revision:
                with suppress(httpx2.TransportError, AssertionError):
                    await self._follow(revision)
                await asyncio.sleep(0.05)

    async def _follow(self, revision: int) -> None:
        self._turn += 1
        urls = self._system.resolver_urls
        since = self.revisions[-1] if self.revisions else None
        async with watch(self._system.http, urls[self._turn % len(urls)], self._tenant, since=since) as events:
            async for event in events:
                self._note(event)
                if self.revisions and self.revisions[-1] >= revision:
                    return

    def _note(self, event: ServerEvent) -> None:
        if event.name == "end":
            self.ends.append(event.data["reason"])
        if event.name == "snapshot":
            self.snapshots += 1
        if event.id is not None:
            self.revisions.append(int(event.id))


def is_after(sign: ServerEvent, moment: datetime) -> bool:
    """Whether the progress event says that every change up to then was sent."""
    return sign.data["as_of"] is not None and datetime.fromisoformat(sign.data["as_of"]) > moment


async def test_resuming_client_misses_no_change_while_resolvers_restart_and_are_killed(system: System) -> None:
    key = await system.new_key()
    await system.put(key, "http://write-1")
    await system.until_resolved(key, "http://write-1")
    follower = Follower(system, key.tenant)
    writes = 40
    following = asyncio.create_task(follower.until(writes))
    one, two = system.services.data_planes
    for revision in range(2, writes + 1):
        await system.put(key, f"http://write-{revision}")
        if revision == 10:
            await one.stop()
            await one.start()
        if revision == 20:
            await two.kill()
            await two.start()
        if revision == 30:
            await one.kill()
            await one.start()
    await following
    first = follower.revisions[0]
    assert follower.revisions == list(range(first, writes + 1)), "a change is missing or repeated"
    assert follower.snapshots == 1


@pytest.mark.parametrize("drain_seconds", ["0", "1"])
async def test_drain_closes_watches_with_a_reason_and_does_not_wait_for_them(
    system: System, drain_seconds: str
) -> None:
    tenant = await system.new_tenant()
    settings = {"TM_DRAIN_SECONDS": drain_seconds}
    resolver = system.services.add_instance("data_plane", f"draining-{drain_seconds}", settings)
    await resolver.start()
    try:
        async with watch(system.http, resolver.urls[0], tenant) as events:
            assert (await next_change(events)).name == "snapshot"
            async with asyncio.timeout(15), asyncio.TaskGroup() as group:
                group.create_task(resolver.stop())
                end = await next_change(events)
    finally:
        await resolver.stop()
    assert (end.name, end.data) == ("end", {"reason": "drain"})


async def test_watch_stays_open_without_advancing_as_of_while_kafka_is_frozen(system: System) -> None:
    key = await system.new_key()
    await system.put(key, "http://before")
    await system.until_resolved(key, "http://before")
    resolver = system.services.add_instance("data_plane", "watched", {"TM_WATCH_PROGRESS_SECONDS": "0.2"})
    await resolver.start()
    try:
        async with watch(system.http, resolver.urls[0], key.tenant) as events:
            assert (await next_change(events)).id == "1"
            await system.stack.kafka.freeze()
            try:
                written = await system.put(key, "http://meanwhile")
                changed = datetime.fromisoformat(written.json()["updated_at"])
                for _ in range(10):
                    sign = await anext(events)
                    assert sign.name == "progress"
                    assert not is_after(sign, changed)
            finally:
                await system.stack.kafka.thaw()
            assert (await next_change(events)).id == "2"
            async for sign in events:
                if is_after(sign, changed):
                    break
    finally:
        await resolver.stop()


async def test_watch_of_a_client_that_does_not_read_is_closed_without_delaying_others(system: System) -> None:
    tenant = await system.new_tenant()
    resolver = system.services.add_instance("data_plane", "slowly-watched", {"TM_WATCH_SEND_TIMEOUT_SECONDS": "0.5"})
    await resolver.start()
    reader, writer = await asyncio.open_connection(*urlsplit(resolver.urls[0]).netloc.split(":"), limit=1024)
    try:
        authorization = system.http.headers["Authorization"]
        writer.write(
            f"GET /api/v1/watch/{tenant} HTTP/1.1\r\nHost: x\r\nAuthorization: {authorization}\r\n\r\n".encode()
        )
        await reader.readuntil(b"event: snapshot")
        async with watch(system.http, resolver.urls[0], tenant) as others:
            await next_change(others)
            # A megabyte each: more than the socket buffers hold.
            for revision in range(1, 13):
                await write_a_megabyte(system, tenant)
                assert (await next_change(others)).id == str(revision)
            await eventually(lambda: has_metric(system, resolver, 'tm_watch_closed_total{reason="slow"} 1.0'))
            assert await has_metric(system, resolver, "tm_watch_clients 1.0")
    finally:
        writer.close()
        await resolver.stop()


async def write_a_megabyte(system: System, tenant: str) -> None:
    """Commits a change set of 500 routes with long URLs."""
    url = f"http://host/{secrets.token_hex(950)}"
    changes = [{"op": "put", "service": f"s-{each}", "env": "prod", "version": "v1", "url": url} for each in range(500)]
    path = f"{system.control_url}/api/v1/tenants/{tenant}/changes"
    (await system.http.post(path, json={"changes": changes})).raise_for_status()


async def has_metric(system: System, resolver: Server, line: str) -> bool:
    """Whether the resolver exports this line."""
    return line in (await system.http.get(f"{resolver.urls[0]}/metrics")).text.splitlines()
