"""A producer that is abandoned while a batch waits to be sent again."""

import asyncio
from typing import Any

from aiokafka import TopicPartition

from shared.runtime.kafka.clients import new_producer
from shared.runtime.kafka.producer import _abandon


async def test_batch_to_be_sent_again_fails_without_an_error_in_its_callback() -> None:
    errors: list[dict[str, Any]] = []
    asyncio.get_running_loop().set_exception_handler(lambda _, context: errors.append(context))
    producer = new_producer("127.0.0.1:1", "test")
    producer._txn_manager.set_pid_and_epoch(1, 0)  # noqa: SLF001 - aiokafka's state after a failed delivery
    accumulator, partition = producer._message_accumulator, TopicPartition("route-events", 0)  # noqa: SLF001 - aiokafka's state after a failed delivery
    builder = producer.create_batch()
    builder.append(timestamp=None, key=b"k", value=b"v")
    delivery = accumulator._append_batch(builder, partition).future  # noqa: SLF001 - aiokafka's state after a failed delivery
    accumulator.reenqueue(accumulator._pop_batch(partition))  # noqa: SLF001 - aiokafka's state after a failed delivery
    await _abandon(producer)
    await asyncio.wait([delivery])
    await asyncio.sleep(0)
    assert delivery.exception() is not None
    assert errors == []
