"""The interface to a server, for every implementation."""

from dataclasses import dataclass, field
from typing import Literal, Protocol

Condition = Literal["running", "frozen", "ended", "stopped"]
"""`ended`: the server was started and ended without a stop command."""


class Server(Protocol):
    """A server that can be started, stopped and made to fail.

    For an external server, every method raises `NotControllable` except `start`, which checks that the server answers,
    `is_running` and `condition`.
    """

    @property
    def name(self) -> str:
        """`postgres`, `replica`, `redis`, `kafka`, `mongo`, or a service's instance id."""
        ...

    @property
    def urls(self) -> tuple[str, ...]:
        """The URLs of the server. Only external replicas can have several."""
        ...

    @property
    def pid(self) -> int | None:
        """The process id of a running local process, else None."""
        ...

    async def start(self) -> None:
        """Start the server with the same data and port as before, or thaw it. Returns when it is usable.

        Raises:
            NotReady: the server ended or took too long. The message has the end of its log.
            PortTaken: another program uses its port.
        """
        ...

    async def stop(self) -> None:
        """Stop the server gracefully, even a frozen one. Kills it if it does not end in time."""
        ...

    async def kill(self) -> None:
        """Kill the server and its children with SIGKILL, and wait until they have ended."""
        ...

    async def freeze(self) -> None:
        """Suspend the server and its children with SIGSTOP: connections stay open without an answer."""
        ...

    async def thaw(self) -> None:
        """Resume the server and its children with SIGCONT."""
        ...

    async def is_running(self) -> bool:
        """Whether the process exists, even if it is frozen."""
        ...

    async def condition(self) -> Condition:
        """The current condition."""
        ...


@dataclass(frozen=True)
class ServerUrls:
    """The URLs of a stack's servers."""

    postgres: str = field(repr=False)
    replicas: tuple[str, ...] = field(repr=False)
    redis: str = field(repr=False)
    kafka: str
    mongo: str = field(repr=False)

    def as_environment(self) -> dict[str, str]:
        """The `TM_…` settings with these URLs."""
        return {
            "TM_POSTGRES_URL": self.postgres,
            "TM_REPLICA_URLS": ",".join(self.replicas),
            "TM_REDIS_URL": self.redis,
            "TM_KAFKA_BOOTSTRAP": self.kafka,
            "TM_MONGO_URL": self.mongo,
        }
