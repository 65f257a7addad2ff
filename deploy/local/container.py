"""A server in a container. Containers use the host's network, so ports and URLs are those of local processes."""

import asyncio
import socket
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from deploy.local.errors import LocalServerError
from deploy.local.readiness import Usable, until_usable
from deploy.local.server import Condition
from deploy.local.settings import LocalSettings
from deploy.local.state import StateDirectory

_UNIX = "unix://"
_DOCKER_SOCKET = "unix:///var/run/docker.sock"
_PING_SECONDS = 2
_STOP_SECONDS = 30


@dataclass(frozen=True)
class Plan:
    """The configuration of a container. `data` is the path that is kept in a volume."""

    image: str
    data: str
    command: Sequence[str] = ()
    environment: Mapping[str, str] = field(default_factory=dict)
    entrypoint: Sequence[str] | None = None


def engine_answers(settings: LocalSettings) -> bool:
    """Whether a Docker engine answers."""
    host = settings.docker_host or _DOCKER_SOCKET
    if host.startswith(_UNIX) and not _listens(host.removeprefix(_UNIX)):
        return False  # faster than the client, which needs slow imports
    try:
        return bool(_docker(timeout=_PING_SECONDS).ping())
    except Exception:  # noqa: BLE001 - after any failure, there is no usable engine
        return False


class LocalContainer:
    """A `Server` in a container. Its data is in a volume, and each start creates a new container."""

    def __init__(
        self, usable: Usable, plan: Callable[[], Plan], state: StateDirectory, client: Callable[[], Any] | None = None
    ) -> None:
        self._client = client or _docker
        self._usable = usable
        self._plan = plan
        self._state = state
        self._container_name = f"traffic-manager-{state.digest}-{usable.name}"

    @property
    def name(self) -> str:
        return self._usable.name

    @property
    def urls(self) -> tuple[str, ...]:
        return (self._usable.url,)

    @property
    def pid(self) -> int | None:
        return None

    async def start(self) -> None:
        condition = await self.condition()
        if condition == "frozen":
            await self.thaw()
        elif condition != "running":
            await asyncio.to_thread(self._run)
        await until_usable(self._usable, self._state.port(self.name), self.is_running, self._failure_message)

    async def stop(self) -> None:
        if await self.condition() == "frozen":
            await self.thaw()
        await self._send("stop", timeout=_STOP_SECONDS)

    async def kill(self) -> None:
        await self._send("kill")

    async def freeze(self) -> None:
        await self._send("pause")

    async def thaw(self) -> None:
        await self._send("unpause")

    async def is_running(self) -> bool:
        return await self.condition() in ("running", "frozen")

    async def condition(self) -> Condition:
        container = await asyncio.to_thread(self._find)
        conditions: dict[str, Condition] = {"running": "running", "paused": "frozen", "exited": "stopped"}
        return conditions.get(container.status, "ended") if container else "stopped"

    async def _send(self, command: str, **options: int) -> None:
        container = await asyncio.to_thread(self._find)
        if container and container.status in ("running", "paused"):
            await asyncio.to_thread(getattr(container, command), **options)

    def remove(self) -> None:
        """Delete the container and its data."""
        container = self._find()
        if container:
            container.remove(force=True)
            container.client.volumes.get(self._container_name).remove()

    def _find(self) -> Any:
        found = self._client().containers.list(all=True, filters={"name": f"^/?{self._container_name}$"})
        return found[0] if found else None

    def _run(self) -> None:
        from testcontainers.core.config import testcontainers_config
        from testcontainers.core.container import DockerContainer

        testcontainers_config.ryuk_disabled = True  # Ryuk would remove the servers when this command ends
        plan = self._plan()
        earlier = self._find()
        if earlier:
            earlier.remove(force=True)
        container = DockerContainer(plan.image)
        container.with_kwargs(network="host", entrypoint=plan.entrypoint).with_name(self._container_name).with_command(
            list(plan.command)
        ).with_envs(**plan.environment)
        container.with_volume_mapping(self._container_name, plan.data, "rw")
        try:
            container.start()
        except Exception as error:
            raise LocalServerError(
                f"{self.name} could not be started from the image {plan.image} ({error}); name another image in "
                f"TM_IMAGE_{self.name.upper()}, or set TM_LOCAL_SERVERS=processes"
            ) from error

    def _failure_message(self, failure: str) -> str:
        container = self._find()
        output = container.logs(tail=20).decode(errors="replace") if container else ""
        return f"{self.name} {failure}. The end of `docker logs {self._container_name}`:\n{output}"


def _listens(path: str) -> bool:
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as probe:
        probe.settimeout(_PING_SECONDS)
        try:
            probe.connect(path)
        except OSError:
            return False
        return True


def _docker(**options: int) -> Any:
    """The engine's client. The import is slow, and most starts do not need it."""
    from testcontainers.core.docker_client import DockerClient

    return DockerClient(**options).client
