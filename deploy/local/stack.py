"""The four kinds of servers as one thing that starts and stops."""

import asyncio
from collections.abc import Sequence
from pathlib import Path

from deploy.local.assembly import Members, assemble, choose_engine
from deploy.local.container import LocalContainer, engine_answers
from deploy.local.external import ExternalServer
from deploy.local.kafka.broker import CONTROLLER
from deploy.local.progress import Progress, Silent
from deploy.local.server import Server, ServerUrls
from deploy.local.settings import DEFAULT_STATE, LocalSettings, read_settings
from deploy.local.starting import Step, start_all
from deploy.local.state import Engine, StateDirectory


class Stack:
    """PostgreSQL with a replica, Redis, Kafka and MongoDB."""

    def __init__(self, state: StateDirectory, engine: Engine, members: Members) -> None:
        self.state = state
        self.postgres = members.postgres
        self.replica = members.replica
        self.redis = members.redis
        self.kafka = members.kafka
        self.mongo = members.mongo
        self._engine = engine

    @property
    def servers(self) -> tuple[Server, ...]:
        """All of them, in the order they are told of."""
        return (self.postgres, self.replica, self.redis, self.kafka, self.mongo)

    @property
    def urls(self) -> ServerUrls:
        """Where they listen; the same before and after a restart."""
        return ServerUrls(
            postgres=self.postgres.urls[0],
            replicas=self.replica.urls,
            redis=self.redis.urls[0],
            kafka=self.kafka.urls[0],
            mongo=self.mongo.urls[0],
        )

    async def start(self, progress: Progress | None = None, on_postgres: Sequence[Step] = ()) -> None:
        """Start what does not run, and wait until all are usable; `on_postgres` is done as soon as that is there.

        Raises:
            LocalServerError: one could not be started; those that were, keep running until `stop`.
        """
        await self._replace_taken_ports()
        with self.state.update() as state:
            state.engine = self._engine
            state.urls = [url for server in self.own for url in server.urls]
        await start_all(
            [(self.postgres, self.replica, *on_postgres), (self.redis,), (self.kafka,), (self.mongo,)],
            progress or Silent(),
        )

    async def stop(self) -> None:
        """Stop those that belong to this stack."""
        async with asyncio.TaskGroup() as group:
            for server in self.own:
                group.create_task(server.stop())
        with self.state.update() as state:
            state.engine = None

    def purge(self) -> None:
        """Delete data and logs; nothing may run."""
        for server in self.servers:
            if isinstance(server, LocalContainer):
                server.remove()
        self.state.purge()

    @property
    def own(self) -> list[Server]:
        """Those that are started here, not named by the environment."""
        return [server for server in self.servers if not isinstance(server, ExternalServer)]

    async def _replace_taken_ports(self) -> None:
        for server in self.own:
            if await server.is_running():
                continue
            self.state.renew_taken_port(server.name)
            if server is self.kafka:
                self.state.renew_taken_port(CONTROLLER)


def open_stack(state: Path, settings: LocalSettings | None = None) -> Stack:
    """The stack whose state is kept in the directory `state`; nothing is started.

    Raises:
        LocalServerError: the settings ask for what there is not.
    """
    settings = settings or read_settings()
    directory = StateDirectory(state)
    remembered = directory.read()
    engine = choose_engine(settings, remembered.engine, lambda: engine_answers(settings))
    own_urls = frozenset(remembered.urls + StateDirectory(DEFAULT_STATE).read().urls)
    return Stack(directory, engine, assemble(directory, settings, engine, own_urls))
