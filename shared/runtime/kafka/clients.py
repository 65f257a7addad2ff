"""Kafka clients with every delivery setting written out, and workarounds for how they start, stop and disconnect."""

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Protocol

import structlog
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer
from aiokafka.errors import KafkaConnectionError, KafkaError

from shared.schemas.topics import MAX_RECORD_BYTES

START_GRACE_SECONDS = 1.0
"""Longest time that a cancelled start of a client may take to complete."""
CALL_SECONDS = 6.0
"""Deadline for one call to Kafka. Longer than the clients' own request timeout, so that theirs names the cause."""

_log = structlog.get_logger(__name__)


class _Client(Protocol):
    async def start(self) -> None: ...


def new_producer(bootstrap: str, client_id: str, *, max_record_bytes: int = MAX_RECORD_BYTES) -> AIOKafkaProducer:
    """A producer that neither loses nor reorders acknowledged records. Not started; create it inside the event loop."""
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


def new_consumer(
    bootstrap: str, client_id: str, *topics: str, group: str | None = None, from_start: bool = False
) -> AIOKafkaConsumer:
    """A consumer that commits nothing by itself. Not started; create it inside the event loop.

    Without a group, partitions are assigned by hand. `from_start`: a group without committed offsets begins at the
    beginning of the topic; otherwise an unknown or deleted offset is an error that the caller handles.
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


async def start_client(client: _Client) -> None:
    """Start a client. A caller that is cancelled meanwhile waits up to START_GRACE_SECONDS for the start to complete.

    aiokafka leaves the first connection of a cancelled start open, without a way to close it.
    """
    starting = asyncio.ensure_future(client.start())
    try:
        await asyncio.shield(starting)
    except asyncio.CancelledError:
        await asyncio.wait([starting], timeout=START_GRACE_SECONDS)
        if not starting.cancel() and not starting.cancelled():
            starting.exception()  # retrieved, so that asyncio does not report it as never retrieved
        raise


async def stop_consumer(consumer: AIOKafkaConsumer, *, within_seconds: float = CALL_SECONDS) -> None:
    """Stop a consumer; one that does not stop in time is abandoned. Raises nothing of Kafka's."""
    try:
        # Stopping waits for fetches, which a broken connection cancels.
        with raise_on_disconnect():
            async with asyncio.timeout(within_seconds):
                await consumer.stop()
    except (KafkaError, OSError, TimeoutError) as error:
        _log.warning("a Kafka consumer did not stop in order", why=f"{type(error).__name__}: {error}")


@contextmanager
def raise_on_disconnect() -> Iterator[None]:
    """Raises KafkaConnectionError in the block when a connection breaks while the block waits for a response.

    aiokafka cancels the pending response then, which is indistinguishable from a cancellation of the waiting task: a task
    that follows a topic would end without an error.
    """
    try:
        yield
    except asyncio.CancelledError as error:
        task = asyncio.current_task()
        if task is None or task.cancelling():
            raise
        raise KafkaConnectionError("the connection broke before the response arrived") from error
