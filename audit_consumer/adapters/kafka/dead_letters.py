"""The dead letter queue as a Kafka topic."""

from audit_consumer.domain.events import format_time
from audit_consumer.domain.records import DeadLetter
from shared.runtime.kafka.producer import ReplaceableProducer
from shared.runtime.resilience import Guard
from shared.schemas.topics import DEAD_LETTER_RECORD_BYTES, ROUTE_EVENTS_DLQ

MAX_DETAIL_LENGTH = 500
"""Characters."""


class KafkaDeadLetters:
    """The DeadLetters port."""

    def __init__(self, bootstrap: str, client_id: str, guard: Guard) -> None:
        self._producer = ReplaceableProducer(bootstrap, client_id, guard, max_record_bytes=DEAD_LETTER_RECORD_BYTES)

    async def put(self, letter: DeadLetter) -> None:
        """Returns once all in-sync replicas have the record. Raises DependencyUnavailable."""
        record = letter.record
        async with self._producer.connected() as producer:
            await producer.send_and_wait(
                ROUTE_EVENTS_DLQ.name, value=record.value, key=record.key, headers=headers_of(letter)
            )

    async def close(self) -> None:
        """Close the connection."""
        await self._producer.close()


def headers_of(letter: DeadLetter) -> list[tuple[str, bytes | None]]:
    """The record's own headers, followed by the reason: names that begin with `dlq.`, values as text."""
    position = letter.record.position
    reason = {
        "dlq.reason": letter.reason.value,
        "dlq.detail": letter.detail[:MAX_DETAIL_LENGTH],
        "dlq.source_topic": position.topic,
        "dlq.source_partition": str(position.partition),
        "dlq.source_offset": str(position.offset),
        "dlq.first_failed_at": format_time(letter.first_failed_at),
        "dlq.last_failed_at": format_time(letter.last_failed_at),
    }
    return [*letter.record.headers, *((name, value.encode()) for name, value in reason.items())]
