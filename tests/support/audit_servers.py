"""The audit consumer's adapters on real servers. Each test has its own database and consumer group."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import httpx2
from pymongo import AsyncMongoClient

from audit_consumer.adapters.kafka.dead_letters import KafkaDeadLetters
from audit_consumer.adapters.kafka.records import KafkaRecords
from audit_consumer.adapters.mongo import audit_trail as mongo
from audit_consumer.adapters.mongo.audit_trail import MongoAuditTrail
from audit_consumer.composition.app import connected_app
from audit_consumer.composition.connect import kafka_guard
from audit_consumer.settings import AuditSettings
from deploy.local.stack import Stack
from shared.runtime.clock import SystemClock
from shared.runtime.health import DependencyHealth
from shared.runtime.kafka.lag_watchdog import LagWatchdog
from shared.runtime.metrics import Metrics
from shared.runtime.service import Service
from tests.support.audit import a_name, client_of
from tests.support.kafka import skip_to_end
from tests.support.lifespan import lifespan_of

WRITE_SECONDS = 5.0
QUERY_SECONDS = 2.0


@asynccontextmanager
async def a_trail(stack: Stack, database: str | None = None) -> AsyncIterator[MongoAuditTrail]:
    """The audit trail in a database that is dropped afterwards."""
    name = database or a_name()
    client = mongo.new_client(stack.urls.mongo, call_seconds=WRITE_SECONDS)
    trail = MongoAuditTrail(
        client,
        name,
        write_seconds=WRITE_SECONDS,
        query_seconds=QUERY_SECONDS,
        clock=SystemClock(),
        health=DependencyHealth(required=True),
        reads_health=DependencyHealth(required=False),
        metrics=Metrics(Service.AUDIT_CONSUMER),
    )
    try:
        await trail.create_indexes()
        yield trail
    finally:
        await client.drop_database(name)
        await trail.close()


def some_records(stack: Stack, group: str, *, max_records: int = 500) -> KafkaRecords:
    """A member of the consumer group, which joins it with the first poll."""
    clock, metrics = SystemClock(), Metrics(Service.AUDIT_CONSUMER)
    return KafkaRecords(
        stack.urls.kafka,
        a_name(),
        group,
        max_records=max_records,
        guard=kafka_guard(clock, DependencyHealth(required=False), metrics),
        watchdog=LagWatchdog(clock, metrics),
        metrics=metrics,
    )


def some_dead_letters(stack: Stack) -> KafkaDeadLetters:
    """The dead letter queue in Kafka."""
    metrics = Metrics(Service.AUDIT_CONSUMER)
    guard = kafka_guard(SystemClock(), DependencyHealth(required=False), metrics)
    return KafkaDeadLetters(stack.urls.kafka, a_name(), guard)


class Consumer:
    """An audit consumer with its own database and consumer group. `running` can start it repeatedly."""

    def __init__(self, stack: Stack, **settings: Any) -> None:
        self.settings = AuditSettings(
            mongo_url=stack.urls.mongo,
            kafka_bootstrap=stack.urls.kafka,
            mongo_database=a_name(),
            audit_group=a_name(),
            audit_retry_seconds=0.5,
            **{"access": "off", **settings},
        )
        self.begun_at: dict[int, int] = {}

    @property
    def group(self) -> str:
        return self.settings.audit_group

    @asynccontextmanager
    async def running(self) -> AsyncIterator[httpx2.AsyncClient]:
        """Run the application with its worker in this process. Yields a client of its API."""
        app = connected_app(self.settings)
        async with lifespan_of(app), client_of(app) as client:
            yield client

    async def documents(self) -> list[dict[str, Any]]:
        """Every document of the collection, read without the adapter."""
        async with self._mongo() as client:
            return await client[self.settings.mongo_database][mongo.COLLECTION].find().to_list(None)

    async def refuse_service(self, name: str) -> None:
        """Let MongoDB refuse every document about this service."""
        validator = {"route.service": {"$ne": name}}
        async with self._mongo() as client:
            await client[self.settings.mongo_database].create_collection(mongo.COLLECTION, validator=validator)

    async def drop_database(self) -> None:
        async with self._mongo() as client:
            await client.drop_database(self.settings.mongo_database)

    def _mongo(self) -> AsyncMongoClient[dict[str, Any]]:
        return AsyncMongoClient(self.settings.mongo_url, tz_aware=True)


@asynccontextmanager
async def a_consumer(stack: Stack, **settings: Any) -> AsyncIterator[Consumer]:
    """A consumer that starts at the present end of the topic, so that it gets only the records of its test."""
    consumer = Consumer(stack, **settings)
    consumer.begun_at = await skip_to_end(stack.urls.kafka, consumer.group)
    try:
        yield consumer
    finally:
        await consumer.drop_database()
