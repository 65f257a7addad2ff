"""A server that someone else runs, named by a URL in the environment."""

from collections.abc import Awaitable, Callable
from typing import NoReturn

from deploy.local import reachable
from deploy.local.errors import LocalServerError, NotControllable, NotReady
from deploy.local.server import Condition, Server
from deploy.local.settings import LocalSettings


class ExternalServer:
    """A `Server` that can only be used."""

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
                    f"{self._setting} names a server which does not answer ({type(error).__name__}: {error}); start "
                    "it, correct the setting, or unset it to have a local server started"
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

    def _refuse(self, what: str) -> NoReturn:
        raise NotControllable(f"{self._name} was named by {self._setting} and cannot be {what} from here")


def named_in(settings: LocalSettings, own_urls: frozenset[str]) -> dict[str, Server]:
    """The servers that the settings name, by name.

    `own_urls` do not count: a shell that has sourced `.local/env` still means the servers that were started here.

    Raises:
        LocalServerError: a replica is named without its primary.
    """

    def theirs(*urls: str | None) -> tuple[str, ...]:
        return tuple(url for url in urls if url and url not in own_urls)

    postgres, replicas = theirs(settings.postgres_url), theirs(*settings.replica_urls)
    if replicas and not postgres:
        raise LocalServerError("TM_REPLICA_URLS is set without TM_POSTGRES_URL; set both, or unset both")
    named: dict[str, Server] = {}
    if postgres:  # also without replicas: a local one could not follow a primary that belongs to someone else
        named["postgres"] = ExternalServer("postgres", "TM_POSTGRES_URL", postgres, reachable.postgres)
        named["replica"] = ExternalServer("replica", "TM_REPLICA_URLS", replicas, reachable.postgres)
    if redis := theirs(settings.redis_url):
        named["redis"] = ExternalServer("redis", "TM_REDIS_URL", redis, reachable.redis)
    if kafka := theirs(settings.kafka_bootstrap):
        named["kafka"] = ExternalServer("kafka", "TM_KAFKA_BOOTSTRAP", kafka, reachable.kafka)
    if mongo := theirs(settings.mongo_url):
        named["mongo"] = ExternalServer("mongo", "TM_MONGO_URL", mongo, reachable.mongo)
    return named
