"""The product's services as local processes."""

import asyncio
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from deploy.local.database_steps import AdminKey, Migration
from deploy.local.local_process import LocalProcess, Recipe
from deploy.local.ports import LOOPBACK
from deploy.local.process import Launch
from deploy.local.progress import NoProgress, Progress
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
        """The base URL of its HTTP API."""
        return f"http://{LOOPBACK}:{self._state.port(self.name)}"

    async def prepare(self) -> Launch:
        own = {
            "TM_HTTP_HOST": LOOPBACK,
            "TM_HTTP_PORT": str(self._state.port(self.name)),
            "TM_INSTANCE_ID": self.name,
        }
        defaults = {
            "TM_KEY_SNAPSHOT_PATH": str(self._state.key_snapshot(self.name)),
            "TM_PUBLIC_VERSION": "metrics",
        }
        return Launch(argv=self._command, directory=REPOSITORY, environment={**defaults, **self._environment(), **own})

    async def become_usable(self) -> bool:
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
        """`environment` holds further settings for all instances."""
        self._stack = stack
        self._state = StateDirectory(state)
        self._environment = dict(environment or {})
        self._all: list[LocalProcess] = []
        self.migration = Migration(self._shared_settings, self._state)
        self.admin_key = AdminKey(self._shared_settings, self._state)
        self.control_plane = self.add_instance("control_plane", "control-plane")
        self.data_planes = (
            self.add_instance("data_plane", "data-plane-1"),
            self.add_instance("data_plane", "data-plane-2"),
        )
        self.audit_consumer = self.add_instance("audit_consumer", "audit-consumer")

    @property
    def servers(self) -> tuple[Server, ...]:
        """Every instance, including added ones."""
        return tuple(self._all)

    @property
    def env(self) -> dict[str, str]:
        """The settings with which clients find the servers and services."""
        return self._stack.urls.as_environment() | self.urls | {"TM_ADMIN_KEY": self.admin_key.text()}

    @property
    def urls(self) -> dict[str, str]:
        """The services' URLs by the names of their settings."""
        return {
            "TM_CONTROL_PLANE_URL": self.control_plane.urls[0],
            "TM_DATA_PLANE_URLS": ",".join(instance.urls[0] for instance in self.data_planes),
            "TM_AUDIT_URL": self.audit_consumer.urls[0],
        }

    def _shared_settings(self) -> dict[str, str]:
        return {**self._stack.urls.as_environment(), **self._environment}

    def add_instance(self, module: str, name: str, environment: Mapping[str, str] | None = None) -> Server:
        """Add an instance of `python -m <module> serve` without starting it. `environment` overrides all other settings."""

        def settings() -> Mapping[str, str]:  # called at each start, since the stack's ports can change
            own = {"TM_SNAPSHOT_PATH": str(self._state.snapshot(name))} if module == "data_plane" else {}
            return {**self._shared_settings(), **own, **(environment or {})}

        instance = LocalProcess(
            Service(name, (sys.executable, "-m", module, "serve"), settings, self._state), self._state
        )
        self._all.append(instance)
        return instance

    async def start(self, progress: Progress | None = None) -> None:
        """Migrate the database, then start every stopped instance.

        Raises:
            LocalServerError: a step failed. The message has the end of its log.
        """
        await start_all([(self.migration, self.admin_key)], progress or NoProgress())
        await self.start_on_migrated_database(progress)

    async def start_on_migrated_database(self, progress: Progress | None = None) -> None:
        """Start every stopped instance. The database must be migrated."""
        for instance in self._all:
            if not await instance.is_running():
                self._state.replace_taken_port(instance.name)
        await start_all([(instance,) for instance in self._all], progress or NoProgress())

    async def running_environment(self) -> dict[str, str]:
        """`env`, without the services if none of them is running."""
        running = [await instance.is_running() for instance in self._all]
        return self.env if any(running) else self._stack.urls.as_environment()

    async def stop(self) -> None:
        """Stop every instance."""
        async with asyncio.TaskGroup() as group:
            for instance in self._all:
                group.create_task(instance.stop())
