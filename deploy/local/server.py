"""The one interface to a server, whoever runs it."""

from dataclasses import dataclass, field
from typing import Literal, Protocol

Condition = Literal["running", "frozen", "ended", "stopped"]
"""`ended`: it was started and is gone without having been stopped."""


class Server(Protocol):
    """A server that can be used, and broken on purpose.

    Every method raises `NotControllable` where the server belongs to someone else, except `start` (which then
    checks that it answers) and `is_running`.
    """

    @property
    def name(self) -> str:
        """`postgres`, `replica`, `redis`, `kafka`, `mongo`, or a service's instance id."""
        ...

    @property
    def urls(self) -> tuple[str, ...]:
        """Where it listens; several only where someone else runs several replicas."""
        ...

    @property
    def pid(self) -> int | None:
        """Its process, where it is a local one and runs."""
        ...

    async def start(self) -> None:
        """Return once it is usable; thaws it if frozen. Same data and port as before.

        Raises:
            NotReady: it ended or took too long; the message holds the tail of its log.
            PortTaken: another program took its port.
        """
        ...

    async def stop(self) -> None:
        """End it gracefully, frozen or not; killed when it does not end in time."""
        ...

    async def kill(self) -> None:
        """SIGKILL it and its children, and wait until they are gone."""
        ...

    async def freeze(self) -> None:
        """SIGSTOP it and its children: connections stay open, nothing answers."""
        ...

    async def thaw(self) -> None:
        """SIGCONT it and its children."""
        ...

    async def is_running(self) -> bool:
        """Whether it exists, frozen or not."""
        ...

    async def condition(self) -> Condition:
        """What became of it."""
        ...


@dataclass(frozen=True)
class ServerUrls:
    """Where the servers of a stack listen."""

    postgres: str = field(repr=False)
    replicas: tuple[str, ...] = field(repr=False)
    redis: str = field(repr=False)
    kafka: str
    mongo: str = field(repr=False)

    def as_environment(self) -> dict[str, str]:
        """The `TM_…` settings under which every service finds these servers."""
        return {
            "TM_POSTGRES_URL": self.postgres,
            "TM_REPLICA_URLS": ",".join(self.replicas),
            "TM_REDIS_URL": self.redis,
            "TM_KAFKA_BOOTSTRAP": self.kafka,
            "TM_MONGO_URL": self.mongo,
        }
