"""Kafka clients with every delivery setting written out, and the watchdog over a consumer's progress."""

import asyncio
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Protocol

from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition
from aiokafka.errors import KafkaConnectionError, ProducerClosed

from shared.runtime.clock import Clock
from shared.runtime.metrics import Metrics
from shared.schemas.topics import MAX_RECORD_BYTES

STALLED_AFTER_SECONDS = 30.0
"""A partition that lags and makes no progress for this long is a failure."""
START_GRACE_SECONDS = 1.0


class _Client(Protocol):
    async def start(self) -> None: ...


def new_producer(bootstrap: str, client_id: str, *, max_record_bytes: int = MAX_RECORD_BYTES) -> AIOKafkaProducer:
    """A producer that neither loses nor reorders what it acknowledged. Not started; build inside the event loop."""
    return AIOKafkaProducer(
        bootstrap_servers=bootstrap,
        client_id=client_id,
        acks="all",
        enable_idempotence=True,
        linger_ms=0,
        max_request_size=max_record_bytes,
        request_timeout_ms=5_000,
        retry_backoff_ms=100,
        metadata_max_age_ms=30_000,
    )


async def start_client(client: _Client) -> None:
    """Start a client; who is cancelled meanwhile waits for that, for at most START_GRACE_SECONDS.

    A start that is cancelled leaves its first connection open, and nobody can close it any more.
    """
    starting = asyncio.ensure_future(client.start())
    try:
        await asyncio.shield(starting)
    except asyncio.CancelledError:
        await asyncio.wait([starting], timeout=START_GRACE_SECONDS)
        if not starting.cancel() and not starting.cancelled():
            starting.exception()  # read here: asyncio complains of errors that nobody reads
        raise


async def abandon(producer: AIOKafkaProducer) -> None:
    """Close a producer without delivering what it still holds; what is on the wire may arrive.

    Its own `stop` waits until everything is delivered, and an idempotent producer never gives up. There is no public
    way to end one, hence the private names.
    """
    client = producer.client
    sender: asyncio.Task[None] | None = producer._sender.sender_task  # noqa: SLF001
    if sender is not None:
        sender.cancel()
        await client.close()  # ends the requests that the sender still waits for
        while not sender.done():
            metadata: asyncio.Future[bool] | None = client._md_update_fut  # noqa: SLF001
            if metadata is not None and not metadata.done():
                metadata.set_result(False)  # nobody updates it any more, and requests to be retried wait for it
            await asyncio.wait([sender], timeout=0.05)
    held = producer._message_accumulator  # noqa: SLF001
    batches = [batch for queue in held._batches.values() for batch in queue]  # noqa: SLF001
    held.fail_all(ProducerClosed())
    for batch in batches:
        for future in (batch.future, batch._drain_waiter):  # noqa: SLF001
            future.exception()  # read here: nobody waits for it, and asyncio complains of errors that nobody reads
    await producer.stop()


@contextmanager
def raise_on_disconnect() -> Iterator[None]:
    """Raises KafkaConnectionError in the block when a connection breaks under what waits for an answer.

    aiokafka cancels the answer then, and that looks like a wish that the waiting task should end: a task that followed
    a topic would do so, without a word.
    """
    try:
        yield
    except asyncio.CancelledError as error:
        task = asyncio.current_task()
        if task is None or task.cancelling():
            raise
        raise KafkaConnectionError("the connection broke while its answer was waited for") from error


def new_consumer(
    bootstrap: str, client_id: str, *topics: str, group: str | None = None, from_start: bool = False
) -> AIOKafkaConsumer:
    """A consumer that commits nothing by itself. Not started; build inside the event loop.

    Without a group, partitions are assigned by hand. `from_start` is where a group without offsets begins; otherwise
    an unknown or lost offset is an error for the caller to handle.
    """
    return AIOKafkaConsumer(
        *topics,
        bootstrap_servers=bootstrap,
        client_id=client_id,
        group_id=group,
        enable_auto_commit=False,
        auto_offset_reset="earliest" if from_start else "none",
        fetch_max_wait_ms=50,
        max_partition_fetch_bytes=MAX_RECORD_BYTES,
        request_timeout_ms=5_000,
        retry_backoff_ms=100,
        metadata_max_age_ms=30_000,
        session_timeout_ms=10_000,
        heartbeat_interval_ms=3_000,
    )


@dataclass
class _Progress:
    position: int
    since: float
    caught_up_at: float


class ProgressWatchdog:
    """Tells a consumer that is merely idle from one that is stuck: it lags, and its position does not move."""

    def __init__(self, clock: Clock, metrics: Metrics) -> None:
        self._clock = clock
        self._lag = metrics.gauge("tm_consumer_lag_records")
        self._behind = metrics.gauge("tm_consumer_lag_seconds")
        self._stalled = metrics.gauge("tm_consumer_stalled_seconds")
        self._partitions: dict[TopicPartition, _Progress] = {}

    def observe(self, ends: Mapping[TopicPartition, int], position_of: Callable[[TopicPartition], int]) -> float:
        """Compare positions (next offset to read) with the logs' ends. Returns the longest stall in seconds."""
        return max(
            (self._observe(partition, end, position_of(partition)) for partition, end in ends.items()), default=0
        )

    def _observe(self, partition: TopicPartition, end: int, position: int) -> float:
        now = self._clock.monotonic()
        known = self._partitions.get(partition)
        if known is None or position >= end:
            known = self._partitions[partition] = _Progress(position, now, now)
        elif position != known.position:
            known.position, known.since = position, now
        stalled = now - known.since
        labels = (partition.topic, str(partition.partition))
        self._lag.labels(*labels).set(max(0, end - position))
        self._behind.labels(*labels).set(now - known.caught_up_at)
        self._stalled.labels(*labels).set(stalled)
        return stalled

    def forget(self) -> None:
        """Start afresh, after a consumer was replaced or its partitions went to others: what was seen reads 0."""
        for partition in self._partitions:
            labels = (partition.topic, str(partition.partition))
            self._lag.labels(*labels).set(0)
            self._behind.labels(*labels).set(0)
            self._stalled.labels(*labels).set(0)
        self._partitions.clear()
