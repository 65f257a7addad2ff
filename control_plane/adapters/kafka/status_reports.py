"""What resolver processes tell, from the topic `resolver-status`: all of it, in every control plane, without a group."""

import asyncio
from collections.abc import AsyncGenerator, Mapping, Sequence
from typing import Any

import structlog
from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.errors import KafkaError

from control_plane.domain.fleet import Report
from control_plane.errors import ReportsInterrupted
from shared.runtime.clock import Clock
from shared.runtime.kafka.clients import new_consumer, raise_on_disconnect, start_client
from shared.runtime.metrics import Metrics
from shared.schemas.events import MalformedEvent, UndecodableEvent
from shared.schemas.resolver_status import decode_status
from shared.schemas.topics import RESOLVER_STATUS

POLL_MS = 500
CHECK_SECONDS = 2.0
CALL_SECONDS = 6.0
"""For a call to Kafka; the client's own request timeout lies below it."""
CATCH_UP_SECONDS = 30.0

_log = structlog.get_logger(__name__)


class KafkaStatusReports:
    """The StatusReports port. Begins at the topic's beginning each time: it holds little more than the newest reports."""

    def __init__(self, bootstrap: str, client_id: str, *, clock: Clock, metrics: Metrics) -> None:
        self._bootstrap = bootstrap
        self._client_id = client_id
        self._clock = clock
        self._counted = metrics.counter("tm_resolver_reports_total")

    async def batches(self) -> AsyncGenerator[Sequence[Report], None]:
        consumer = new_consumer(self._bootstrap, self._client_id)
        try:
            with raise_on_disconnect():
                caught_up = await self._catch_up(consumer)
            yield caught_up
            checked = self._clock.monotonic()
            while True:
                with raise_on_disconnect():
                    fetched = await self._fetch(consumer)
                yield fetched
                if self._clock.monotonic() - checked >= CHECK_SECONDS:
                    with raise_on_disconnect():
                        await _check(consumer)
                    checked = self._clock.monotonic()
        except (KafkaError, OSError, TimeoutError) as error:
            raise ReportsInterrupted(f"{type(error).__name__}: {error}") from error
        finally:
            await _stop(consumer)

    async def _catch_up(self, consumer: AIOKafkaConsumer) -> Sequence[Report]:
        """Take all partitions from their beginnings, and read to where they end now."""
        async with asyncio.timeout(CATCH_UP_SECONDS):
            await start_client(consumer)
            partitions = await _partitions(consumer)
            ends: Mapping[TopicPartition, int] = await consumer.end_offsets(partitions)
            firsts: Mapping[TopicPartition, int] = await consumer.beginning_offsets(partitions)
            consumer.assign(partitions)
            for partition, offset in firsts.items():
                consumer.seek(partition, offset)
            reports: list[Report] = []
            while any([await consumer.position(each) < end for each, end in ends.items()]):
                reports += await self._fetch(consumer)
        return reports

    async def _fetch(self, consumer: AIOKafkaConsumer) -> Sequence[Report]:
        fetched = await consumer.getmany(timeout_ms=POLL_MS)
        records = [record for each in fetched.values() for record in each]
        return [report for record in records if (report := self._report(record)) is not None]

    def _report(self, record: Any) -> Report | None:
        try:
            report = _decode(record)
        except UndecodableEvent as error:
            self._counted.labels(error.reason).inc()
            _log.debug("skipped a report", offset=record.offset, reason=error.reason, why=str(error)[:300])
            return None
        self._counted.labels("withdrawn" if report.status is None else "accepted").inc()
        return report


def _decode(record: Any) -> Report:
    if record.key is None:
        raise MalformedEvent("the record has no key")
    return Report(record.key.decode(errors="replace"), None if record.value is None else decode_status(record.value))


async def _partitions(consumer: AIOKafkaConsumer) -> list[TopicPartition]:
    name = RESOLVER_STATUS.name
    if name not in await consumer.topics():
        raise ReportsInterrupted(f"there is no topic {name}; create it, and this goes on by itself")
    # Asking for one partition's offset is what makes the client learn of all the topic's partitions.
    await consumer.beginning_offsets([TopicPartition(name, 0)])
    return [TopicPartition(name, each) for each in sorted(consumer.partitions_for_topic(name))]


async def _check(consumer: AIOKafkaConsumer) -> None:
    """Raises when Kafka does not answer: no report would then come, whoever makes one."""
    async with asyncio.timeout(CALL_SECONDS):
        await consumer.end_offsets(list(consumer.assignment()))


async def _stop(consumer: AIOKafkaConsumer) -> None:
    try:
        # Closing, it waits for fetches that a broken connection has cancelled.
        with raise_on_disconnect():
            async with asyncio.timeout(CALL_SECONDS):
                await consumer.stop()
    except (KafkaError, OSError, TimeoutError) as error:
        _log.warning("the Kafka consumer did not close in order", why=f"{type(error).__name__}: {error}")
