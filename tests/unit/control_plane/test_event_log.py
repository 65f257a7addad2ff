"""The event log on Kafka, with single partitions that fail."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from types import SimpleNamespace
from typing import Any, cast

import pytest
from aiokafka import TopicPartition
from aiokafka.errors import KafkaConnectionError
from aiokafka.producer.message_accumulator import BatchBuilder

from control_plane.adapters.kafka.event_log import KafkaEventLog
from control_plane.domain.outbox import Acknowledged, OutboxRecord
from control_plane.errors import NotPublished
from shared.runtime.clock import SystemClock
from shared.runtime.health import DependencyHealth
from shared.runtime.kafka.producer import KAFKA_FAILURES, ReplaceableProducer
from shared.runtime.metrics import Metrics
from shared.runtime.resilience import Guard
from shared.runtime.service import Service
from shared.schemas.events import Heartbeat
from shared.schemas.topics import ROUTE_EVENTS

PARTITIONS = 4
HEARTBEAT = Heartbeat(as_of=datetime(2026, 1, 1, tzinfo=UTC))


@dataclass
class StandInProducer:
    """A producer of aiokafka and the ReplaceableProducer around it. `silent` partitions never answer."""

    guard: Guard
    leaderless: set[int] = field(default_factory=set)
    silent: set[int] = field(default_factory=set)
    unreachable: bool = False
    attempts: list[int] = field(default_factory=list)
    closed: int = 0

    @property
    def client(self) -> Any:
        cluster = SimpleNamespace(leader_for_partition=self._leader)
        return SimpleNamespace(cluster=cluster, force_metadata_update=lambda: None)

    def _leader(self, partition: TopicPartition) -> int:
        return -1 if partition.partition in self.leaderless else 1

    @asynccontextmanager
    async def connected(self) -> AsyncIterator["StandInProducer"]:
        async with self.guard.call():
            yield self

    async def close(self) -> None:
        self.closed += 1

    async def partitions_for(self, _: str) -> set[int]:
        return set(range(PARTITIONS))

    def create_batch(self) -> BatchBuilder:
        return BatchBuilder(16_384, 0)

    async def send_batch(self, _: BatchBuilder, __: str, *, partition: int) -> "asyncio.Future[Any]":
        self.attempts.append(partition)
        response: asyncio.Future[Any] = asyncio.get_running_loop().create_future()
        if self.unreachable:
            response.set_exception(KafkaConnectionError("refused"))
        elif partition not in self.silent:
            response.set_result(SimpleNamespace(offset=len(self.attempts)))
        return response


@pytest.fixture
def kafka() -> StandInProducer:
    guard = Guard(
        "kafka",
        timeout=5,
        failures=KAFKA_FAILURES,
        clock=SystemClock(),
        health=DependencyHealth(required=False),
        metrics=Metrics(Service.CONTROL_PLANE),
    )
    return StandInProducer(guard)


@pytest.fixture
def events(kafka: StandInProducer) -> KafkaEventLog:
    return KafkaEventLog(cast(ReplaceableProducer, kafka), partition_seconds=0.05)


RECORDS = [OutboxRecord(number, ROUTE_EVENTS.name, f"team-{number}", {}, b"1") for number in range(40)]


async def test_partition_without_a_leader_is_not_tried_and_its_records_are_published_later(
    kafka: StandInProducer, events: KafkaEventLog
) -> None:
    kafka.leaderless = {2}
    acknowledged: list[Acknowledged] = []
    unpublished = await events.publish(RECORDS, acknowledged.append)
    assert {each.partition for each in acknowledged} == {0, 1, 3}
    assert not any(each.attempted for each in unpublished)
    assert {each.record.id for each in unpublished} == {each.id for each in RECORDS} - {
        each.record.id for each in acknowledged
    }
    await events.heartbeat(HEARTBEAT, [each.record.record_key for each in unpublished])
    assert 2 not in kafka.attempts
    kafka.leaderless.clear()
    assert not await events.publish([each.record for each in unpublished], acknowledged.append)
    assert len(acknowledged) == len(RECORDS)


async def test_silent_partition_is_sent_nothing_for_a_pause(kafka: StandInProducer, events: KafkaEventLog) -> None:
    kafka.silent = {2}
    acknowledged: list[Acknowledged] = []
    unpublished = await events.publish(RECORDS, acknowledged.append)
    assert {each.partition for each in acknowledged} == {0, 1, 3}
    assert {(each.reason, each.attempted) for each in unpublished} == {("timeout", True)}
    assert kafka.closed == 1, "the producer has a gap in the sequence of that partition"
    again = await events.publish([each.record for each in unpublished], acknowledged.append)
    assert len(again) == len(unpublished)
    assert not any(each.attempted for each in again)
    assert kafka.attempts.count(2) == 1


async def test_failures_of_one_partition_do_not_open_the_breaker_for_the_others(kafka: StandInProducer) -> None:
    kafka.silent = {2}
    events = KafkaEventLog(cast(ReplaceableProducer, kafka), partition_seconds=0.01)
    acknowledged: list[Acknowledged] = []
    first = await events.publish(RECORDS, acknowledged.append)
    for _ in range(30):
        await events.publish([first[0].record], acknowledged.append)
    acknowledged.clear()
    await events.publish(
        [each for each in RECORDS if each.id not in {failed.record.id for failed in first}], acknowledged.append
    )
    assert len(acknowledged) == len(RECORDS) - len(first)


async def test_failure_of_all_partitions_is_one_of_kafka_and_pauses_none(
    kafka: StandInProducer, events: KafkaEventLog
) -> None:
    kafka.unreachable = True
    acknowledged: list[Acknowledged] = []
    with pytest.raises(NotPublished):
        await events.publish(RECORDS, acknowledged.append)
    with pytest.raises(NotPublished):
        await events.heartbeat(HEARTBEAT)
    kafka.unreachable = False
    assert not await events.publish(RECORDS, acknowledged.append)
    assert len(acknowledged) == len(RECORDS)
