"""Events that come again, late and in another order, and records that are no events."""

import asyncio
import random
import time
from collections.abc import Mapping, Sequence
from typing import Any, TypeAlias

from aiokafka import AIOKafkaProducer, ConsumerRecord
from pymongo import AsyncMongoClient

from audit_consumer.settings import AuditSettings
from bench.faults.row import Row
from bench.faults.trial import Trial
from shared.runtime.kafka.clients import new_producer
from shared.schemas.topics import ROUTE_EVENTS
from tests.support.kafka import committed_offsets, end_offsets, read_all
from tests.support.waiting import eventually

HOUR_SECONDS = 3600.0
TIMES = 5
AT_ONCE = 500
UNLIMITED = {"TM_TENANT_WRITES_PER_SECOND": "0", "TM_CREDENTIAL_WRITES_PER_SECOND": "0"}
FAST = 2_000.0
"""Writes per second, more than the control plane accepts."""
CONSUMED_SECONDS = 600.0

_Record: TypeAlias = "ConsumerRecord[bytes | None, bytes | None]"


async def _replayed(trial: Trial) -> None:
    """The records of as many writes as an hour has (less in the short form) are produced again five times, shuffled."""
    count = max(1_000, int(trial.scale * trial.load.rates.writes * HOUR_SECONDS))
    kafka = trial.stack.urls.kafka
    start = await end_offsets(kafka, ROUTE_EVENTS.name)
    fast = await trial.extra_instance("control_plane", "faults-hour", **UNLIMITED)
    async with trial.load.writing_to(fast.urls[0]):
        await trial.load.write_many(count, FAST)
    records = await read_all(kafka, ROUTE_EVENTS.name, start)
    trial.notes.append(f"an hour of {len(records):,} records ({count:,} writes), {TIMES} times")
    async with trial.load.running() as phase:
        before = await trial.measures()
        begun = time.monotonic()
        for seed in range(TIMES):
            await _produce(trial, records, seed)
        ends = await end_offsets(kafka, ROUTE_EVENTS.name)
        await eventually(lambda: _is_consumed(trial, ends), within=CONSUMED_SECONDS, every=0.5)
        await asyncio.sleep(max(0.0, begun + trial.seconds - time.monotonic()))
        grown = (await trial.measures()).since(before)
    trial.judged(phase)
    late = sum(grown.total("tm_events_total", outcome=each) for each in ("older", "duplicate"))
    changes = sum(each.value is not None and b"route_changed" in each.value for each in records)
    trial.at_least("replayed events that the resolvers refused", late, TIMES * changes * len(trial.load.instances))
    regressions = (await trial.measures()).total("tm_revision_regressions_total")
    trial.at_most("answers with a lower revision than an earlier one", regressions, 0, "")
    trial.none_of("no change is twice in the audit trail", await _audited_twice(trial))


async def _produce(trial: Trial, records: Sequence[_Record], seed: int) -> None:
    """Write the records again, each to its partition, in another order."""
    shuffled = list(records)
    random.Random(seed).shuffle(shuffled)
    producer: AIOKafkaProducer = new_producer(trial.stack.urls.kafka, "faults-replay")
    await producer.start()
    try:
        for start in range(0, len(shuffled), AT_ONCE):
            for each in shuffled[start : start + AT_ONCE]:
                await producer.send(
                    each.topic, each.value, each.key, partition=each.partition, headers=list(each.headers)
                )
            await producer.flush()
    finally:
        await producer.stop()


async def _is_consumed(trial: Trial, ends: dict[int, int]) -> bool:
    """Whether the audit consumer has committed these offsets, and the resolvers lag behind nothing."""
    committed = await committed_offsets(trial.stack.urls.kafka, AuditSettings().audit_group)
    if any(committed.get(partition, 0) < end for partition, end in ends.items()):
        return False
    return (await trial.measures()).highest("tm_consumer_lag_seconds", topic=ROUTE_EVENTS.name) < 1


async def _audited_twice(trial: Trial) -> Sequence[str]:
    """Changes with more than one document: of one tenant, route and revision."""
    client: AsyncMongoClient[dict[str, object]] = AsyncMongoClient(trial.stack.urls.mongo)
    change = {"tenant": "$route.tenant", "service": "$route.service", "revision": "$revision"}
    stages: list[Mapping[str, Any]] = [
        {"$match": {"route.tenant": {"$in": list(trial.load.tenants)}}},
        {"$group": {"_id": change, "count": {"$sum": 1}}},
        {"$match": {"count": {"$gt": 1}}},
    ]
    try:
        found = await client[AuditSettings().mongo_database]["events"].aggregate(stages, allowDiskUse=True)
        return [str(each["_id"]) async for each in found]
    finally:
        await client.close()


ROWS = (
    Row(
        15, "an hour of events replayed 5 times, shuffled", "caches = database; audit count unchanged", 60, 5, _replayed
    ),
)
