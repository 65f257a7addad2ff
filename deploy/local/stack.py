"""All servers together: PostgreSQL, Redis, Kafka and MongoDB."""

import asyncio
from collections.abc import Sequence
from pathlib import Path

from deploy.local.assembly import StackServers, assemble, choose_engine
from deploy.local.container import LocalContainer, engine_answers
from deploy.local.external import ExternalServer
from deploy.local.kafka.broker import CONTROLLER
from deploy.local.progress import NoProgress, Progress
from deploy.local.server import Server, ServerUrls
from deploy.local.settings import DEFAULT_STATE, LocalSettings, read_settings
from deploy.local.starting import Step, start_all
from deploy.local.state import Engine, StateDirectory


class Stack:
    """PostgreSQL with a replica, Redis, Kafka and MongoDB."""

    def __init__(self, state: StateDirectory, engine: Engine, members: StackServers) -> None:
        self.state = state
        self.postgres = members.postgres
        self.replica = members.replica
        self.redis = members.redis
        self.kafka = members.kafka
        self.mongo = members.mongo
        self._engine = engine

    @property
    def servers(self) -> tuple[Server, ...]:
        """All servers, in the order of the status table."""
        return (self.postgres, self.replica, self.redis, self.kafka, self.mongo)

    @property
    def urls(self) -> ServerUrls:
        """The servers' URLs, which a restart does not change."""
        return ServerUrls(
            postgres=self.postgres.urls[0],
            replicas=self.replica.urls,
            redis=self.redis.urls[0],
            kafka=self.kafka.urls[0],
            mongo=self.mongo.urls[0],
        )

    async def start(self, progress: Progress | None = None, on_postgres: Sequence[Step] = ()) -> None:
        """Start every stopped server, and wait until all are usable. `on_postgres` runs as soon as PostgreSQL is usable.

        Raises:
            LocalServerError: a server failed to start. Servers that started keep running until `stop`.
        """
        await self._replace_taken_ports()
        with self.state.update() as state:
            state.engine = self._engine
            state.urls = [url for server in self.own for url in server.urls]
        await start_all(
            [(self.postgres, self.replica, *on_postgres), (self.redis,), (self.kafka,), (self.mongo,)],
            progress or NoProgress(),
        )

    async def stop(self) -> None:
        """Stop the servers of this stack. External servers keep running."""
        async with asyncio.TaskGroup() as group:
            for server in self.own:
                group.create_task(server.stop())
        with self.state.update() as state:
            state.engine = None

    def purge(self) -> None:
        """Delete data and logs. All servers must be stopped."""
        for server in self.servers:
            if isinstance(server, LocalContainer):
                server.remove()
        self.state.purge()

    @property
    def own(self) -> list[Server]:
        """The servers that this stack starts, without external ones."""
        return [server for server in self.servers if not isinstance(server, ExternalServer)]

    async def _replace_taken_ports(self) -> None:
        for server in self.own:
            if await server.is_running():
                continue
            self.state.replace_taken_port(server.name)
            if server is self.kafka:
                self.state.replace_taken_port(CONTROLLER)


def open_stack(state: Path, settings: LocalSettings | None = None) -> Stack:
    """The stack of the state directory `state`. Starts nothing.

    Raises:
        LocalServerError: the settings are wrong, or require a missing container engine.
    """
    settings = settings or read_settings()
    directory = StateDirectory(state)
    remembered = directory.read()
    engine = choose_engine(settings, remembered.engine, lambda: engine_answers(settings))
    own_urls = frozenset(remembered.urls + StateDirectory(DEFAULT_STATE).read().urls)
    return Stack(directory, engine, assemble(directory, settings, engine, own_urls))
