"""The topic `resolver-status`, which holds each resolver process's last report."""

from shared.runtime.kafka.producer import ReplaceableProducer
from shared.runtime.resilience import Guard
from shared.schemas.resolver_status import ResolverStatus, encode_status
from shared.schemas.topics import RESOLVER_STATUS


class KafkaStatusLog:
    """The StatusLog port."""

    def __init__(self, bootstrap: str, client_id: str, guard: Guard) -> None:
        self._producer = ReplaceableProducer(bootstrap, client_id, guard)

    async def report(self, status: ResolverStatus) -> None:
        await self._send(status.instance, encode_status(status))

    async def withdraw(self, instance: str) -> None:
        await self._send(instance, None)

    async def close(self) -> None:
        """Close the connection."""
        await self._producer.close()

    async def _send(self, instance: str, value: bytes | None) -> None:
        async with self._producer.connected() as producer:
            await producer.send_and_wait(RESOLVER_STATUS.name, value, key=instance.encode())
