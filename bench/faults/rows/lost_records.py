"""A resolver that was away until the records that it would read next were gone."""

import asyncio
import time
from collections.abc import Mapping
from functools import partial

from aiokafka import TopicPartition
from aiokafka.admin import AIOKafkaAdminClient, RecordsToDelete

from audit_consumer.settings import AuditSettings
from bench.faults.aftermath import StoredRoute, database_rows
from bench.faults.row import Row
from bench.faults.server_faults import beside_load
from bench.faults.trial import Trial
from deploy.local.server import Server
from shared.schemas.topics import ROUTE_EVENTS
from tests.support.kafka import committed_offsets, end_offsets
from tests.support.waiting import eventually

REVALIDATED_SECONDS = 5.0
CONSUMED_SECONDS = 30.0


async def _out_of_range(trial: Trial) -> None:
    """A further resolver is frozen while routes are written and every record is deleted, and then resumed."""
    resolver = await trial.extra_instance("data_plane", "faults-out-of-range")
    readers = trial.load.readers_of(resolver.urls)
    await readers.ask_each_once()
    await trial.calm()
    trial.load.writers.changed.clear()
    await beside_load(resolver.freeze)
    try:
        async with trial.load.running() as phase:
            await asyncio.sleep(trial.seconds)
        await _delete_consumed(trial)
    finally:
        await beside_load(resolver.thaw)
    resumed = time.monotonic()
    rows = await database_rows(trial)
    expected = {route: rows[trial.load.path_of(route)] for route in trial.load.writers.changed}
    try:
        await eventually(partial(_is_right, trial, resolver, expected), within=60, every=0.1)
        took = time.monotonic() - resumed
    except AssertionError:
        took = float("inf")
    trial.judged(phase)
    trial.at_most(
        f"the resolver answers {len(expected)} routes as the database has them after", took, REVALIDATED_SECONDS
    )


async def _delete_consumed(trial: Trial) -> None:
    """Delete every record of the topic, once the audit consumer has them all."""
    kafka = trial.stack.urls.kafka
    ends = await end_offsets(kafka, ROUTE_EVENTS.name)

    async def is_consumed() -> bool:
        committed = await committed_offsets(kafka, AuditSettings().audit_group)
        return all(committed.get(partition, 0) >= end for partition, end in ends.items())

    await eventually(is_consumed, within=CONSUMED_SECONDS)
    admin = AIOKafkaAdminClient(bootstrap_servers=kafka)
    await admin.start()
    try:
        await admin.delete_records(
            {TopicPartition(ROUTE_EVENTS.name, partition): RecordsToDelete(end) for partition, end in ends.items()}
        )
    finally:
        await admin.close()
    trial.records_deleted = True


async def _is_right(trial: Trial, resolver: Server, expected: Mapping[int, StoredRoute]) -> bool:
    for route, row in expected.items():
        answer = await trial.load.readers.answer_of(resolver.urls[0], route)
        if answer.status not in (200, 404) or answer.url != row.url:
            return False
    return True


ROWS = (Row(17, "offset out of range", "the resolver revalidates within 5 s", 30, 5, _out_of_range),)
