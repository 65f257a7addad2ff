"""The dead letter queue as a Kafka topic."""

import asyncio
import contextlib

from aiokafka import AIOKafkaProducer
from aiokafka.errors import KafkaError

from audit_consumer.domain.events import format_time
from audit_consumer.domain.records import DeadLetter
from shared.runtime.kafka.clients import new_producer, start_client
from shared.runtime.resilience import Guard
from shared.schemas.topics import DEAD_LETTER_RECORD_BYTES, ROUTE_EVENTS_DLQ

CLOSE_SECONDS = 5.0
LONGEST_DETAIL = 500


class KafkaDeadLetters:
    """Connects on first use, and anew after a failure."""

    def __init__(self, bootstrap: str, client_id: str, guard: Guard) -> None:
        self._bootstrap = bootstrap
        self._client_id = client_id
        self._guard = guard
        self._producer: AIOKafkaProducer | None = None

    async def put(self, letter: DeadLetter) -> None:
        """Returns once all in-sync replicas have it. Raises DependencyUnavailable."""
        record = letter.record
        try:
            async with self._guard.call():
                producer = self._producer or await self._connect()
                await producer.send_and_wait(
                    ROUTE_EVENTS_DLQ.name, value=record.value, key=record.key, headers=headers_of(letter)
                )
        except BaseException:
            # A producer that failed may have a gap in its sequence of records, and would refuse all that follow.
            await self.close()
            raise

    async def close(self) -> None:
        """Close the connection; nothing waits in it, for `put` returns only when it is done."""
        producer, self._producer = self._producer, None
        if producer is not None:
            await _stop(producer)

    async def _connect(self) -> AIOKafkaProducer:
        producer = new_producer(self._bootstrap, self._client_id, max_record_bytes=DEAD_LETTER_RECORD_BYTES)
        try:
            await start_client(producer)
        except BaseException:
            await _stop(producer)
            raise
        self._producer = producer
        return producer


def headers_of(letter: DeadLetter) -> list[tuple[str, bytes | None]]:
    """What the record came with, and why it is here: names that begin with `dlq.`, values as text."""
    position = letter.record.position
    ours = {
        "dlq.reason": letter.reason.value,
        "dlq.detail": letter.detail[:LONGEST_DETAIL],
        "dlq.source_topic": position.topic,
        "dlq.source_partition": str(position.partition),
        "dlq.source_offset": str(position.offset),
        "dlq.first_failed_at": format_time(letter.first_failed_at),
        "dlq.last_failed_at": format_time(letter.last_failed_at),
    }
    return [*letter.record.headers, *((name, value.encode()) for name, value in ours.items())]


async def _stop(producer: AIOKafkaProducer) -> None:
    with contextlib.suppress(KafkaError, TimeoutError):
        async with asyncio.timeout(CLOSE_SECONDS):
            await producer.stop()
