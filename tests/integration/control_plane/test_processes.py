"""The control plane as processes: how it starts without its servers, freezes, dies and is misconfigured."""

import asyncio
import os
import signal
import sys
import time
from asyncio.subprocess import DEVNULL, PIPE
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

import httpx2
import pytest

from deploy.local import ports
from deploy.local.stack import Stack
from tests.support.control_plane import all_published, leads, published_events
from tests.support.factories import a_tenant
from tests.support.postgres import Database
from tests.support.waiting import eventually


@dataclass(frozen=True)
class Running:
    """A server and its workers, in a process group of their own."""

    process: asyncio.subprocess.Process
    client: httpx2.AsyncClient

    def send(self, number: signal.Signals) -> None:
        os.killpg(self.process.pid, number)

    async def answers(self) -> bool:
        return await self._status("live") == 200

    async def is_ready(self) -> bool:
        return await self._status("ready") == 200

    async def _status(self, probe: str) -> int:
        try:
            return (await self.client.get(f"http://127.0.0.1:{self.client.base_url.port}/health/{probe}")).status_code
        except httpx2.TransportError:
            return 0


@asynccontextmanager
async def _started(database: Database, stack: Stack) -> AsyncIterator[Running]:
    port = ports.pick()
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "control_plane",
        env=_environment(TM_POSTGRES_URL=database.url, TM_KAFKA_BOOTSTRAP=stack.urls.kafka, TM_HTTP_PORT=str(port)),
        stdout=DEVNULL,
        start_new_session=True,
    )
    async with httpx2.AsyncClient(trust_env=False, base_url=f"http://127.0.0.1:{port}/api/v1", timeout=5) as client:
        running = Running(process, client)
        try:
            await eventually(running.answers)
            yield running
        finally:
            if process.returncode is None:
                running.send(signal.SIGCONT)
                process.terminate()
                async with asyncio.timeout(40):
                    assert await process.wait() == 0


def _environment(**variables: str) -> dict[str, str]:
    return {**os.environ, "TM_DRAIN_SECONDS": "0.1", "TM_ACCESS": "off", **variables}  # noqa: TID251 - a child needs PATH and the like


async def _put(running: Running, tenant: str, url: str) -> None:
    answer = await running.client.put(f"/tenants/{tenant}/routes/a/b/c", json={"url": url})
    assert answer.status_code in (200, 201), answer.text


async def _heard(stack: Stack, tenant: str) -> list[int]:
    return [each.revision for each in await published_events(stack.urls.kafka, tenant)]


@pytest.mark.parametrize("way", [signal.SIGSTOP, signal.SIGKILL])
async def test_frozen_or_dead_leader_is_replaced_within_fifteen_seconds(
    stack: Stack, database: Database, way: signal.Signals
) -> None:
    tenant = a_tenant()
    async with _started(database, stack) as first:
        await eventually(lambda: _leads(first))
        await eventually(first.is_ready)
        await first.client.put(f"/tenants/{tenant}")
        async with _started(database, stack) as second:
            await eventually(second.is_ready)
            first.send(way)
            began = time.monotonic()
            await _put(second, tenant, "https://one.example/")
            await eventually(lambda: _leads(second), within=15)
            await eventually(lambda: all_published(database.url), within=15 - (time.monotonic() - began))
            if way is signal.SIGSTOP:
                first.send(signal.SIGCONT)
                await eventually(lambda: _follows(first))
            await _put(second, tenant, "https://two.example/")
            await eventually(lambda: all_published(database.url))
            assert await _leads(second)
    assert await _heard(stack, tenant) == [1, 2]


async def test_committed_but_unpublished_change_is_published_after_a_restart(stack: Stack, database: Database) -> None:
    tenant = a_tenant()
    async with _started(database, stack) as first:
        await eventually(first.is_ready)
        await first.client.put(f"/tenants/{tenant}")
        await eventually(lambda: all_published(database.url))
        await stack.kafka.freeze()
        try:
            await _put(first, tenant, "https://one.example/")
            first.send(signal.SIGKILL)
            await first.process.wait()
        finally:
            await stack.kafka.thaw()
    assert not await all_published(database.url)
    async with _started(database, stack):
        await eventually(lambda: all_published(database.url))
    assert set(await _heard(stack, tenant)) == {1}


async def test_process_starts_without_postgres_and_becomes_ready_when_it_is_up(
    stack: Stack, database: Database
) -> None:
    tenant = a_tenant()
    await stack.postgres.stop()
    try:
        async with _started(database, stack) as running:
            assert not await running.is_ready()
            refused = await running.client.put(f"/tenants/{tenant}")
            assert (refused.status_code, refused.headers["Retry-After"]) == (503, "1")
            await stack.postgres.start()
            await eventually(running.is_ready)
            assert (await running.client.put(f"/tenants/{tenant}")).status_code == 201
            await _put(running, tenant, "https://one.example/")
            await eventually(lambda: all_published(database.url))
    finally:
        await stack.postgres.start()


async def test_process_starts_and_serves_without_kafka(stack: Stack, database: Database) -> None:
    tenant = a_tenant()
    await stack.kafka.stop()
    try:
        async with _started(database, stack) as running:
            await eventually(running.is_ready)
            await running.client.put(f"/tenants/{tenant}")
            await _put(running, tenant, "https://one.example/")
            await stack.kafka.start()
            await eventually(lambda: all_published(database.url), within=20)
    finally:
        await stack.kafka.start()
    assert await _heard(stack, tenant) == [1]


async def test_frozen_postgres_delays_a_request_by_its_deadline_at_most(stack: Stack, database: Database) -> None:
    async with _started(database, stack) as running:
        await eventually(running.is_ready)
        await running.client.put(f"/tenants/{(tenant := a_tenant())}")
        await stack.postgres.freeze()
        try:
            async with asyncio.timeout(4):  # the deadline is 2 s; what is above it is for a busy machine
                answer = await running.client.get(f"/tenants/{tenant}")
            assert answer.status_code == 503
            await eventually(lambda: _is_not_ready(running))
        finally:
            await stack.postgres.thaw()
        await eventually(running.is_ready)
        assert (await running.client.get(f"/tenants/{tenant}")).status_code == 200


async def _run(*arguments: str, **variables: str) -> tuple[int, str]:
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "control_plane", *arguments, env=_environment(**variables), stdout=PIPE, stderr=PIPE
    )
    _, errors = await process.communicate()
    assert process.returncode is not None
    return process.returncode, errors.decode()


@pytest.mark.parametrize("arguments", [[], ["migrate"]])
async def test_invalid_environment_variable_is_reported_by_name(arguments: list[str]) -> None:
    code, errors = await _run(*arguments, TM_HTTP_PORT="many", TM_POSTGRES_POOL_SIZE="0")
    assert code == 2
    assert "TM_HTTP_PORT" in errors
    assert "TM_POSTGRES_POOL_SIZE" in errors
    assert "Traceback" not in errors


async def test_unknown_arguments_print_the_usage() -> None:
    code, errors = await _run("upgrade")
    assert (code, "usage:" in errors) == (2, True)


async def test_migration_reports_an_unreachable_database() -> None:
    code, errors = await _run("migrate", TM_POSTGRES_URL="postgresql://nobody@127.0.0.1:1/nowhere")
    assert code == 1
    assert "TM_POSTGRES_URL" in errors
    assert "Traceback" not in errors


async def _leads(running: Running) -> bool:
    try:
        return await leads(running.client)
    except httpx2.TransportError:
        return False


async def _follows(running: Running) -> bool:
    return not await _leads(running) and await running.answers()


async def _is_not_ready(running: Running) -> bool:
    return not await running.is_ready()
