"""Servers that are not started here: the environment has their URLs."""

from collections.abc import Awaitable, Callable
from typing import NoReturn

from deploy.local import server_checks as reachable
from deploy.local.errors import LocalServerError, NotControllable, NotReady
from deploy.local.server import Condition, Server
from deploy.local.settings import LocalSettings


class ExternalServer:
    """A `Server` that cannot be started, stopped or frozen."""

    def __init__(self, name: str, setting: str, urls: tuple[str, ...], check: Callable[[str], Awaitable[None]]) -> None:
        self._name = name
        self._setting = setting
        self._urls = urls
        self._check = check

    @property
    def name(self) -> str:
        return self._name

    @property
    def urls(self) -> tuple[str, ...]:
        return self._urls

    @property
    def pid(self) -> int | None:
        return None

    async def start(self) -> None:
        for url in self._urls:
            try:
                await self._check(url)
            except Exception as error:
                raise NotReady(
                    f"the server in {self._setting} does not answer ({type(error).__name__}: {error}); start it, correct "
                    "the setting, or unset it to use a local server"
                ) from error

    async def is_running(self) -> bool:
        try:
            await self.start()
        except NotReady:
            return False
        return True

    async def condition(self) -> Condition:
        return "running" if await self.is_running() else "ended"

    async def stop(self) -> None:
        self._refuse("stopped")

    async def kill(self) -> None:
        self._refuse("killed")

    async def freeze(self) -> None:
        self._refuse("frozen")

    async def thaw(self) -> None:
        self._refuse("thawed")

    def _refuse(self, participle: str) -> NoReturn:
        raise NotControllable(
            f"{self._name} is the external server in {self._setting} and cannot be {participle} from here"
        )


def external_servers(settings: LocalSettings, own_urls: frozenset[str]) -> dict[str, Server]:
    """The external servers in the settings, by name.

    URLs in `own_urls` belong to the stack itself: a shell that has sourced `.local/env` has them in its environment.

    Raises:
        LocalServerError: the settings have a replica without a primary.
    """

    def external(*urls: str | None) -> tuple[str, ...]:
        return tuple(url for url in urls if url and url not in own_urls)

    postgres, replicas = external(settings.postgres_url), external(*settings.replica_urls)
    if replicas and not postgres:
        raise LocalServerError("TM_REPLICA_URLS is set without TM_POSTGRES_URL; set both, or unset both")
    named: dict[str, Server] = {}
    if postgres:  # even without replicas: a local replica could not follow an external primary
        named["postgres"] = ExternalServer("postgres", "TM_POSTGRES_URL", postgres, reachable.postgres)
        named["replica"] = ExternalServer("replica", "TM_REPLICA_URLS", replicas, reachable.postgres)
    if redis := external(settings.redis_url):
        named["redis"] = ExternalServer("redis", "TM_REDIS_URL", redis, reachable.redis)
    if kafka := external(settings.kafka_bootstrap):
        named["kafka"] = ExternalServer("kafka", "TM_KAFKA_BOOTSTRAP", kafka, reachable.kafka)
    if mongo := external(settings.mongo_url):
        named["mongo"] = ExternalServer("mongo", "TM_MONGO_URL", mongo, reachable.mongo)
    return named
