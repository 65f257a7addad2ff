"""This process's status on the topic `resolver-status`."""

import asyncio

import structlog
from aiokafka import AIOKafkaProducer
from aiokafka.errors import KafkaError

from shared.runtime.kafka.clients import abandon, new_producer, start_client
from shared.runtime.resilience import Guard
from shared.schemas.resolver_status import ResolverStatus, encode_status
from shared.schemas.topics import RESOLVER_STATUS

STATUS_FAILURES: tuple[type[Exception], ...] = (KafkaError,)
CLOSE_SECONDS = 8.0
"""Longer than a request to a broker may take, which an abandoned producer waits for."""

_log = structlog.get_logger(__name__)


class KafkaStatusLog:
    """The StatusLog port. Connects on first use, and anew after a failure, so that nothing old is sent late."""

    def __init__(self, bootstrap: str, client_id: str, guard: Guard) -> None:
        self._bootstrap = bootstrap
        self._client_id = client_id
        self._guard = guard
        self._producer: AIOKafkaProducer | None = None

    async def tell(self, status: ResolverStatus) -> None:
        await self._send(status.instance, encode_status(status))

    async def withdraw(self, instance: str) -> None:
        await self._send(instance, None)

    async def close(self) -> None:
        """Close the connection."""
        producer, self._producer = self._producer, None
        if producer is None:
            return
        try:
            async with asyncio.timeout(CLOSE_SECONDS):
                await abandon(producer)
        except TimeoutError:
            _log.warning("a Kafka producer did not close in time", seconds=CLOSE_SECONDS)

    async def _send(self, instance: str, value: bytes | None) -> None:
        try:
            async with self._guard.call():
                if self._producer is None:
                    self._producer = new_producer(self._bootstrap, self._client_id)
                    await start_client(self._producer)
                await self._producer.send_and_wait(RESOLVER_STATUS.name, value, key=instance.encode())
        except BaseException:
            await self.close()
            raise
