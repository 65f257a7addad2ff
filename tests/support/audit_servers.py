"""The audit consumer's adapters on real servers. Each test has its own database and consumer group."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import httpx2
from motor.motor_asyncio import AsyncIOMotorClient

from audit_consumer.adapters import kafka, mongo
from audit_consumer.adapters.kafka_dead_letters import KafkaDeadLetters
from audit_consumer.adapters.kafka_records import KafkaRecords
from audit_consumer.adapters.mongo import MongoAuditTrail
from audit_consumer.app import assemble
from audit_consumer.settings import AuditSettings
from deploy.local.stack import Stack
from shared.runtime.clock import SystemClock
from shared.runtime.health import DependencyHealth
from shared.runtime.kafka.clients import ProgressWatchdog
from shared.runtime.metric_catalogue import Service
from shared.runtime.metrics import Metrics
from tests.support.audit import a_name, client_of
from tests.support.kafka import skip_to_end
from tests.support.lifespan import lifespan_of

WRITE_SECONDS = 5.0
QUERY_SECONDS = 2.0


@asynccontextmanager
async def a_trail(stack: Stack, database: str | None = None) -> AsyncIterator[MongoAuditTrail]:
    """The audit trail in a database that is dropped afterwards."""
    name = database or a_name()
    client = mongo.new_client(stack.urls.mongo, longest_call=WRITE_SECONDS)
    trail = MongoAuditTrail(
        client,
        name,
        write_seconds=WRITE_SECONDS,
        query_seconds=QUERY_SECONDS,
        clock=SystemClock(),
        health=DependencyHealth(required=True),
        metrics=Metrics(Service.AUDIT_CONSUMER),
    )
    try:
        await trail.prepare()
        yield trail
    finally:
        await client.drop_database(name)
        await trail.close()


def some_records(stack: Stack, group: str, *, at_once: int = 500) -> KafkaRecords:
    """A member of the consumer group. It joins the group when its first batch is requested."""
    clock, metrics = SystemClock(), Metrics(Service.AUDIT_CONSUMER)
    return KafkaRecords(
        stack.urls.kafka,
        a_name(),
        group,
        at_once=at_once,
        guard=kafka.new_guard(clock, DependencyHealth(required=False), metrics),
        watchdog=ProgressWatchdog(clock, metrics),
        metrics=metrics,
    )


def some_dead_letters(stack: Stack) -> KafkaDeadLetters:
    """The real dead letter queue."""
    metrics = Metrics(Service.AUDIT_CONSUMER)
    guard = kafka.new_guard(SystemClock(), DependencyHealth(required=False), metrics)
    return KafkaDeadLetters(stack.urls.kafka, a_name(), guard)


class Consumer:
    """The settings of an audit consumer with its own database and group. `running` starts it, repeatedly if needed."""

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
        """Starts the application and its worker in this process; yields a client of its API."""
        app = assemble(self.settings)
        async with lifespan_of(app), client_of(app) as client:
            yield client

    async def documents(self) -> list[dict[str, Any]]:
        """All documents of the collection, read with MongoDB's own client."""
        client: AsyncIOMotorClient[dict[str, Any]] = AsyncIOMotorClient(self.settings.mongo_url, tz_aware=True)
        try:
            return await client[self.settings.mongo_database][mongo.COLLECTION].find().to_list(None)
        finally:
            client.close()

    async def refuse_service(self, name: str) -> None:
        """Makes MongoDB reject every document of this service."""
        client: AsyncIOMotorClient[dict[str, Any]] = AsyncIOMotorClient(self.settings.mongo_url)
        validator = {"route.service": {"$ne": name}}
        await client[self.settings.mongo_database].create_collection(mongo.COLLECTION, validator=validator)
        client.close()

    async def forget(self) -> None:
        """Drops the database."""
        client: AsyncIOMotorClient[dict[str, Any]] = AsyncIOMotorClient(self.settings.mongo_url)
        await client.drop_database(self.settings.mongo_database)
        client.close()


@asynccontextmanager
async def a_consumer(stack: Stack, **settings: Any) -> AsyncIterator[Consumer]:
    """A consumer that begins at the current end of the topic, so that it reads only the records of its test."""
    consumer = Consumer(stack, **settings)
    consumer.begun_at = await skip_to_end(stack.urls.kafka, consumer.group)
    try:
        yield consumer
    finally:
        await consumer.forget()
