"""Redis, run by the Valkey server. It is a cache, so it writes nothing to disk."""

import asyncio

from deploy.local.local_process import Recipe
from deploy.local.ports import LOOPBACK
from deploy.local.process import Launch
from deploy.local.server_programs import valkey_server
from deploy.local.state import StateDirectory


class RedisServer(Recipe):
    """One Valkey server without persistence."""

    name = "redis"

    def __init__(self, state: StateDirectory) -> None:
        self._state = state

    @property
    def url(self) -> str:
        """The URL of database 0."""
        return f"redis://{LOOPBACK}:{self._state.port(self.name)}/0"

    @property
    def arguments(self) -> list[str]:
        """The server's command line."""
        port = str(self._state.port(self.name))
        options = {"bind": LOOPBACK, "port": port, "save": "", "appendonly": "no", "set-proc-title": "no"}
        return [text for name, value in options.items() for text in (f"--{name}", value)]

    async def prepare(self) -> Launch:
        directory = self._state.path / self.name
        directory.mkdir(parents=True, exist_ok=True)
        return Launch(argv=[valkey_server(), *self.arguments], directory=directory)

    async def become_usable(self) -> bool:
        reader, writer = await asyncio.open_connection(LOOPBACK, self._state.port(self.name))
        try:
            writer.write(b"PING\r\n")
            return await reader.readline() == b"+PONG\r\n"
        finally:
            writer.close()
