"""A service as an operating-system process with its worker processes, started without any server behind it."""

import asyncio
import os
import signal
import sys
from asyncio.subprocess import PIPE, Process
from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx2
import psutil

from deploy.local import ports
from shared.runtime.service import Service
from tests.support.waiting import eventually

EXIT_SECONDS = 40.0
NO_SERVERS = {
    "TM_KAFKA_BOOTSTRAP": "127.0.0.1:1",
    "TM_POSTGRES_URL": "postgresql://127.0.0.1:1/none",
    "TM_REDIS_URL": "redis://127.0.0.1:1/0",
    "TM_MONGO_URL": "mongodb://127.0.0.1:1/none",
}


@dataclass(frozen=True)
class ServiceProcess:
    """A service in a process group of its own. `log` holds what it has written."""

    process: Process
    client: httpx2.AsyncClient
    log: Path

    def signal_group(self, number: signal.Signals) -> None:
        """Signal the server and its workers, as systemd and a terminal do."""
        os.killpg(self.process.pid, number)

    def workers(self) -> list[int]:
        """The process ids of the workers, oldest first."""
        children = psutil.Process(self.process.pid).children()
        return [each.pid for each in sorted(children, key=lambda each: each.create_time()) if each.is_running()]

    async def status(self, path: str) -> int:
        """The status of a GET; 0 where no connection is possible."""
        try:
            return (await self.client.get(path)).status_code
        except httpx2.TransportError:
            return 0

    async def is_live(self) -> bool:
        return await self.status("/health/live") == 200

    async def has_started(self) -> bool:
        """Whether it answers. Raises RuntimeError with its log when it has ended instead."""
        if self.process.returncode is not None:
            raise RuntimeError(self.log.read_text())
        return await self.is_live()

    async def metric(self, line: str) -> float:
        """The value of one series, named as `/metrics` writes it; 0 where it is missing."""
        text = (await self.client.get("/metrics")).text
        return next((float(each.rsplit(" ", 1)[1]) for each in text.splitlines() if each.startswith(line + " ")), 0.0)

    async def exit_code(self) -> int:
        """Wait for the end of the server."""
        async with asyncio.timeout(EXIT_SECONDS):
            return await self.process.wait()


def resolver_process(folder: Path, **settings: str) -> AbstractAsyncContextManager[ServiceProcess]:
    """`python -m data_plane` with these settings; it is killed at the end of the block if it still runs."""
    return service_process(Service.DATA_PLANE, folder, **settings)


@asynccontextmanager
async def service_process(service: Service, folder: Path, **settings: str) -> AsyncIterator[ServiceProcess]:
    """The service with these settings, its log in the folder; it is killed at the end of the block if it still runs."""
    port, log = ports.pick(), folder / f"{service}.log"
    given = {
        **os.environ,  # noqa: TID251 - a child needs PATH and the like
        "TM_ACCESS": "off",
        **NO_SERVERS,
        "TM_KAFKA_START_SECONDS": "0.1",
        "TM_WARMUP_SECONDS": "0",
        "TM_DRAIN_SECONDS": "0.2",
        "TM_HTTP_PORT": str(port),
        **settings,
    }
    with log.open("wb") as output:
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-m", service, env=given, stdout=output, stderr=output, start_new_session=True
        )
    host = given.get("TM_HTTP_HOST", "127.0.0.1")
    async with httpx2.AsyncClient(
        base_url=f"http://{host}:{port}", timeout=5, trust_env=False, headers={"Connection": "close"}
    ) as client:
        running = ServiceProcess(process, client, log)
        try:
            await eventually(running.has_started, within=30)
            yield running
        finally:
            if process.returncode is None:
                running.signal_group(signal.SIGKILL)
                await process.wait()


async def failed_start(**settings: str) -> tuple[int, str]:
    """The exit code and the error output of a resolver that does not start."""
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "data_plane",
        env={**os.environ, **NO_SERVERS, **settings},  # noqa: TID251 - a child needs PATH and the like
        stdout=PIPE,
        stderr=PIPE,
    )
    async with asyncio.timeout(EXIT_SECONDS):
        _, errors = await process.communicate()
    assert process.returncode is not None
    return process.returncode, errors.decode()
