"""A Kafka producer that connects on first use and is replaced after any failure."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from functools import partial

import structlog
from aiokafka import AIOKafkaProducer
from aiokafka.errors import KafkaError, ProducerClosed

from shared.runtime.kafka.clients import new_producer, start_client
from shared.runtime.resilience import Guard
from shared.schemas.topics import MAX_RECORD_BYTES

KAFKA_FAILURES: tuple[type[Exception], ...] = (KafkaError,)
"""The errors by which a guard recognises that Kafka is unavailable."""
ABANDON_SECONDS = 8.0
"""Longer than a request to a broker may take, which an abandoned producer waits for."""

_log = structlog.get_logger(__name__)


class ReplaceableProducer:
    """Holds at most one producer. After a failure the next call connects anew, and old records are never sent late."""

    def __init__(
        self, bootstrap: str, client_id: str, guard: Guard, *, max_record_bytes: int = MAX_RECORD_BYTES
    ) -> None:
        self._new_producer: Callable[[], AIOKafkaProducer] = partial(
            new_producer, bootstrap, client_id, max_record_bytes=max_record_bytes
        )
        self._guard = guard
        self._producer: AIOKafkaProducer | None = None

    @asynccontextmanager
    async def connected(self) -> AsyncIterator[AIOKafkaProducer]:
        """A started producer for one guarded call, which is the body. Any error of the body closes the producer.

        A producer that failed may have a gap in its sequence of records, and would reject all that follow.
        Raises DependencyUnavailable.
        """
        try:
            async with self._guard.call():
                if self._producer is None:
                    self._producer = self._new_producer()
                    await start_client(self._producer)
                yield self._producer
        except BaseException:
            await self.close()
            raise

    async def close(self) -> None:
        """Close the producer without delivering the records that it still holds."""
        producer, self._producer = self._producer, None
        if producer is None:
            return
        try:
            async with asyncio.timeout(ABANDON_SECONDS):
                await _abandon(producer)
        except TimeoutError:
            _log.warning("a Kafka producer did not close in time", seconds=ABANDON_SECONDS)


async def _abandon(producer: AIOKafkaProducer) -> None:
    """Close a producer without delivering the records that it holds; records already sent may still arrive.

    Its own `stop` waits until every record is delivered, and an idempotent producer retries without limit. aiokafka has
    no public way to end one, hence the private names.
    """
    client = producer.client
    sender: asyncio.Task[None] | None = producer._sender.sender_task  # noqa: SLF001
    if sender is not None:
        sender.cancel()
        await client.close()  # ends the requests that the sender waits for
        while not sender.done():
            metadata: asyncio.Future[bool] | None = client._md_update_fut  # noqa: SLF001
            if metadata is not None and not metadata.done():
                metadata.set_result(False)  # requests to be retried wait for a metadata update, which no longer comes
            await asyncio.wait([sender], timeout=0.05)
    pending = producer._message_accumulator  # noqa: SLF001
    batches = [batch for queue in pending._batches.values() for batch in queue]  # noqa: SLF001
    # A batch to be sent again is in no set of pending ones, from which its callback removes it: asyncio logs a KeyError.
    pending._pending_batches.update(batches)  # noqa: SLF001
    pending.fail_all(ProducerClosed())
    for batch in batches:
        for future in (batch.future, batch._drain_waiter):  # noqa: SLF001
            future.exception()  # retrieved, so that asyncio does not report it as never retrieved
    await producer.stop()
