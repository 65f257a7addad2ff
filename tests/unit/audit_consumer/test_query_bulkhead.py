"""Slow queries use their own guard and slots, apart from the ingestion."""

import asyncio
from multiprocessing import cpu_count
from typing import Any, Self

import pytest
from motor.frameworks.asyncio import max_workers

from audit_consumer.adapters.mongo.audit_trail import MAX_CONCURRENT_READS, MAX_CONCURRENT_WRITES, MongoAuditTrail
from audit_consumer.domain.queries import Filters, SortKeyRange
from shared.runtime.clock import SystemClock
from shared.runtime.health import DependencyHealth
from shared.runtime.metrics import Metrics
from shared.runtime.resilience import DependencyUnavailable
from shared.runtime.service import Service
from tests.support.audit import audited
from tests.support.factories import history


class SilentQueries:
    """A MongoDB client that stores at once and never answers a query."""

    def __init__(self) -> None:
        self.queries = self.stored = 0

    topology_description = property(lambda self: self)

    def has_writable_server(self) -> bool:
        return True

    def __getitem__(self, _: str) -> Self:
        return self

    def get_collection(self, *_: Any, **__: Any) -> Self:
        return self

    def find(self, _: Any) -> Self:
        return self

    sort = hint = limit = max_time_ms = find

    async def to_list(self, _: int) -> None:
        self.queries += 1
        await asyncio.Event().wait()

    async def insert_many(self, documents: Any, **_: Any) -> None:
        self.stored += len(documents)


async def test_queries_without_an_answer_neither_stop_the_ingestion_nor_report_mongodb_as_down() -> None:
    client, health, reads_health = SilentQueries(), DependencyHealth(required=True), DependencyHealth(required=False)
    trail = MongoAuditTrail(
        client,  # type: ignore[arg-type]
        "audit",
        write_seconds=5.0,
        query_seconds=0.01,
        clock=SystemClock(),
        health=health,
        reads_health=reads_health,
        metrics=Metrics(Service.AUDIT_CONSUMER),
    )

    async def query() -> None:
        with pytest.raises(DependencyUnavailable):
            await trail.find(Filters(), SortKeyRange(None, None), 10)

    async with asyncio.TaskGroup() as callers:
        for _ in range(10 * MAX_CONCURRENT_READS):
            callers.create_task(query())
    events = audited(history("team-a", 1)[0])
    assert len((await trail.store(events)).stored) == client.stored == len(events)
    assert (health.up, reads_health.up) == (True, False)
    assert client.queries < 10 * MAX_CONCURRENT_READS


def test_queries_leave_threads_of_the_driver_for_the_ingestion_on_one_cpu() -> None:
    threads_per_cpu = max_workers // cpu_count()
    assert threads_per_cpu >= MAX_CONCURRENT_READS + MAX_CONCURRENT_WRITES
