"""Sends records to one partition, each batch after the previous one was acknowledged."""

from collections.abc import Callable, Sequence
from typing import Any

from aiokafka import AIOKafkaProducer
from aiokafka.errors import (
    InvalidTimestampError,
    KafkaError,
    MessageSizeTooLargeError,
    RecordListTooLargeError,
    RecordTooLargeError,
)

from control_plane.adapters.kafka.partition_holds import Partition
from control_plane.domain.outbox import Acknowledged, OutboxRecord

REFUSED: tuple[type[KafkaError], ...] = (
    MessageSizeTooLargeError,
    RecordListTooLargeError,
    RecordTooLargeError,
    InvalidTimestampError,
)
"""Kafka's responses to a batch that it refuses on every retry."""


class PartitionSender:
    """The records of one partition that are still to be sent.

    A producer that sends ahead does not guarantee that the acknowledged records are the first ones when a batch fails.
    After any error the sender needs a new producer: the old one has a gap in its sequence of records.
    """

    def __init__(
        self, partition: Partition, records: Sequence[OutboxRecord], acknowledged: Callable[[Acknowledged], None]
    ) -> None:
        self.partition = partition
        self.unsent = list(records)
        self.refused: list[tuple[OutboxRecord, str]] = []
        """The records that Kafka refuses for good, with its reason; the later records of their keys are not sent."""
        self.needs_new_producer = False
        """Whether the last call left a gap in the producer's sequence of records."""
        self._acknowledged = acknowledged
        self._one_by_one = False
        self._sent_together = 0

    async def send(self, producer: AIOKafkaProducer) -> None:
        """Send what is unsent. Returns early, with records left, when Kafka refuses a batch: call it with a new producer.

        Raises KafkaError for any other failure.
        """
        self.needs_new_producer = False
        while self.unsent:
            try:
                await self._send_batch(producer)
            except REFUSED as error:
                self.needs_new_producer = True
                self._narrow_down(error)
                return

    async def _send_batch(self, producer: AIOKafkaProducer) -> None:
        batch = producer.create_batch()
        limit = 1 if self._one_by_one else len(self.unsent)
        while batch.record_count() < limit and _append(batch, self.unsent[batch.record_count()]):
            pass
        taken = self.unsent[: batch.record_count()]
        self._sent_together = len(taken)
        topic, number = self.partition
        metadata = await (await producer.send_batch(batch, topic, partition=number))
        for index, record in enumerate(taken):
            self._acknowledged(Acknowledged(record, number, metadata.offset + index))
        del self.unsent[: len(taken)]

    def _narrow_down(self, error: KafkaError) -> None:
        """Find the refused record of a batch by sending its records one by one."""
        self._one_by_one = self._sent_together > 1
        if not self._one_by_one:
            refused = self.unsent[0]
            self.refused.append((refused, f"{type(error).__name__}: {error}"))
            self.unsent = [each for each in self.unsent if each.key != refused.key]


def _append(batch: Any, record: OutboxRecord) -> bool:
    """Returns whether the batch had room for the record. The first record of a batch always fits."""
    headers = [(name, value.encode()) for name, value in record.headers.items()]
    added = batch.append(timestamp=None, key=record.key.encode(), value=record.payload, headers=headers)
    return added is not None
