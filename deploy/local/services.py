"""The product's services as local processes."""

import asyncio
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from deploy.local.database_steps import AdminKey, Migration
from deploy.local.local_process import LocalProcess, Recipe
from deploy.local.ports import LOOPBACK
from deploy.local.process import Launch
from deploy.local.progress import Progress, Silent
from deploy.local.server import Server
from deploy.local.settings import REPOSITORY
from deploy.local.stack import Stack
from deploy.local.starting import start_all
from deploy.local.state import StateDirectory


class Service(Recipe):
    """One instance of a service."""

    stop_seconds = 30.0

    def __init__(
        self, name: str, command: Sequence[str], environment: Callable[[], Mapping[str, str]], state: StateDirectory
    ) -> None:
        self._name = name
        self._command = command
        self._environment = environment
        self._state = state

    @property
    def name(self) -> str:
        return self._name

    @property
    def url(self) -> str:
        """Of its HTTP interface."""
        return f"http://{LOOPBACK}:{self._state.port(self.name)}"

    async def prepare(self) -> Launch:
        own = {
            "TM_HTTP_HOST": LOOPBACK,
            "TM_HTTP_PORT": str(self._state.port(self.name)),
            "TM_INSTANCE_ID": self.name,
        }
        keys = {"TM_KEY_SNAPSHOT_PATH": str(self._state.copy_of_keys(self.name))}
        return Launch(argv=self._command, directory=REPOSITORY, environment={**keys, **self._environment(), **own})

    async def settle(self) -> bool:
        """Whether `GET /health/ready` answers 200."""
        reader, writer = await asyncio.open_connection(LOOPBACK, self._state.port(self.name))
        try:
            writer.write(b"GET /health/ready HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
            return b" 200 " in await reader.readline()
        finally:
            writer.close()


class Services:
    """One control plane, two data planes and one audit consumer on the servers of a stack."""

    def __init__(self, stack: Stack, state: Path, environment: Mapping[str, str] | None = None) -> None:
        """`environment`: further settings for all of them."""
        self._stack = stack
        self._state = StateDirectory(state)
        self._environment = dict(environment or {})
        self._all: list[LocalProcess] = []
        self.migration = Migration(self._shared_settings, self._state)
        self.admin_key = AdminKey(self._shared_settings, self._state)
        self.control_plane = self.another("control_plane", "control-plane")
        self.data_planes = (self.another("data_plane", "data-plane-1"), self.another("data_plane", "data-plane-2"))
        self.audit_consumer = self.another("audit_consumer", "audit-consumer")

    @property
    def servers(self) -> tuple[Server, ...]:
        """Every instance, those added later included."""
        return tuple(self._all)

    @property
    def env(self) -> dict[str, str]:
        """What a client needs to find servers and services."""
        return self._stack.urls.as_environment() | self.urls | {"TM_ADMIN_KEY": self.admin_key.text()}

    @property
    def urls(self) -> dict[str, str]:
        """Where the services listen, by setting."""
        return {
            "TM_CONTROL_PLANE_URL": self.control_plane.urls[0],
            "TM_DATA_PLANE_URLS": ",".join(instance.urls[0] for instance in self.data_planes),
            "TM_AUDIT_URL": self.audit_consumer.urls[0],
        }

    def _shared_settings(self) -> dict[str, str]:
        return {**self._stack.urls.as_environment(), **self._environment}

    def another(self, module: str, name: str, environment: Mapping[str, str] | None = None) -> Server:
        """One more instance, not started yet: `python -m <module> serve`; `environment` goes over everything else."""

        def settings() -> Mapping[str, str]:  # asked for at each start: the stack's ports may have changed
            own = {"TM_SNAPSHOT_PATH": str(self._state.snapshot(name))} if module == "data_plane" else {}
            return {**self._shared_settings(), **own, **(environment or {})}

        instance = LocalProcess(
            Service(name, (sys.executable, "-m", module, "serve"), settings, self._state), self._state
        )
        self._all.append(instance)
        return instance

    async def start(self, progress: Progress | None = None) -> None:
        """Migrate, then start every instance that does not run.

        Raises:
            LocalServerError: that failed; the message holds the end of the log.
        """
        await start_all([(self.migration, self.admin_key)], progress or Silent())
        await self.start_instances(progress)

    async def start_instances(self, progress: Progress | None = None) -> None:
        """`start` on a database that is up to date."""
        for instance in self._all:
            if not await instance.is_running():
                self._state.renew_taken_port(instance.name)
        await start_all([(instance,) for instance in self._all], progress or Silent())

    async def env_of_running(self) -> dict[str, str]:
        """`env`, without the services when none of them runs."""
        running = [await instance.is_running() for instance in self._all]
        return self.env if any(running) else self._stack.urls.as_environment()

    async def stop(self) -> None:
        """Stop every instance."""
        async with asyncio.TaskGroup() as group:
            for instance in self._all:
                group.create_task(instance.stop())
