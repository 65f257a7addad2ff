"""The local servers can be used, made to fail, and restarted with their data."""

import asyncio
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

import asyncpg
import psutil
import pytest
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.admin.config_resource import ConfigResource, ConfigResourceType
from pymongo import AsyncMongoClient

from deploy.local.process import family
from deploy.local.server import Server
from deploy.local.stack import Stack
from shared.schemas.topics import MAX_RECORD_BYTES, ROUTE_EVENTS, TOPICS

NAMES = ["postgres", "replica", "redis", "kafka", "mongo"]


@asynccontextmanager
async def connected(url: str) -> AsyncIterator["asyncpg.Connection[asyncpg.Record]"]:
    connection = await asyncpg.connect(url, timeout=5)
    try:
        yield connection
    finally:
        await connection.close(timeout=5)


def members(server: Server) -> list[psutil.Process]:
    """The processes of a server that runs as a local process. A container's belong to its engine: none."""
    return [] if server.pid is None else family(psutil.Process(server.pid))


def alive(processes: list[psutil.Process]) -> list[psutil.Process]:
    """Without those that only wait for their parent to notice."""
    return [process for process in processes if process.is_running() and process.status() != psutil.STATUS_ZOMBIE]


async def eventually(condition: Callable[[], Any], seconds: float = 5.0) -> None:
    deadline = time.monotonic() + seconds
    while not await condition():
        assert time.monotonic() < deadline, "it did not come true in time"
        await asyncio.sleep(0.02)


async def test_replica_streams_what_the_primary_commits(stack: Stack) -> None:
    async with connected(stack.urls.postgres) as primary, connected(stack.urls.replicas[0]) as replica:
        await primary.execute("CREATE TABLE IF NOT EXISTS streamed (n int)")
        await primary.execute("INSERT INTO streamed VALUES (42)")

        async def has_arrived() -> bool:
            try:
                return bool(await replica.fetchval("SELECT count(*) FROM streamed WHERE n = 42"))
            except asyncpg.UndefinedTableError:
                return False

        await eventually(has_arrived)
        assert await replica.fetchval("SELECT pg_is_in_recovery()")


async def test_postgres_does_not_trade_durability_for_speed(stack: Stack) -> None:
    async with connected(stack.urls.postgres) as primary:
        assert await primary.fetchval("SHOW fsync") == "on"
        assert await primary.fetchval("SHOW synchronous_commit") == "on"
        assert await primary.fetchval("SHOW max_connections") == "200"


async def test_topics_have_their_partitions_and_configs(stack: Stack) -> None:
    admin = AIOKafkaAdminClient(bootstrap_servers=stack.urls.kafka)
    await admin.start()
    try:
        for topic in TOPICS:
            described = (await admin.describe_topics([topic.name]))[0]
            assert len(described["partitions"]) == topic.partitions
            answer = await admin.describe_configs([ConfigResource(ConfigResourceType.TOPIC, topic.name)])
            configs = {entry[0]: entry[1] for entry in answer[0].resources[0][4]}
            assert {name: configs[name] for name in topic.configs} == dict(topic.configs)
    finally:
        await admin.close()


async def test_largest_record_fits_in_every_topic(stack: Stack) -> None:
    producer = AIOKafkaProducer(
        bootstrap_servers=stack.urls.kafka, acks="all", enable_idempotence=True, max_request_size=MAX_RECORD_BYTES
    )
    async with producer:
        sent = await producer.send_and_wait(ROUTE_EVENTS.name, b"x" * 3_000_000, key=b"largest", partition=0)
    assert sent.offset >= 0


async def test_mongo_accepts_majority_writes_in_a_transaction(stack: Stack) -> None:
    async with AsyncMongoClient[dict[str, Any]](stack.urls.mongo) as client:
        collection = client["local_servers"]["documents"]
        async with client.start_session() as session, await session.start_transaction():
            await collection.insert_one({"n": 1}, session=session)
        assert await collection.count_documents({"n": 1}) > 0


@pytest.mark.parametrize("name", ["postgres", "replica", "redis"])
async def test_killed_server_leaves_no_children_and_restarts_on_its_port(stack: Stack, name: str) -> None:
    server: Server = getattr(stack, name)
    urls, processes = stack.urls, members(server)
    await server.kill()
    assert not alive(processes)
    assert not await server.is_running()
    await server.start()
    assert await server.is_running()
    assert stack.urls == urls


@pytest.mark.parametrize("name", ["postgres", "replica"])
async def test_server_starts_although_children_of_its_killed_parent_hold_its_data(stack: Stack, name: str) -> None:
    server: Server = getattr(stack, name)
    if server.pid is None:
        pytest.skip("a container's processes end with it")
    parent, *children = members(server)
    # A frozen child cannot notice that its parent is gone.
    children[0].suspend()
    parent.kill()
    await eventually(lambda: _is_ended(server))
    assert alive(children)
    await server.start()
    assert not alive(children)


async def _is_ended(server: Server) -> bool:
    return await server.condition() == "ended"


@pytest.mark.parametrize("name", NAMES)
async def test_frozen_server_and_its_children_stop_until_thawed(stack: Stack, name: str) -> None:
    server: Server = getattr(stack, name)
    await server.freeze()
    assert {process.status() for process in members(server)} <= {psutil.STATUS_STOPPED}
    assert await server.condition() == "frozen"
    assert await server.is_running()
    await server.thaw()
    assert await server.condition() == "running"
    await server.start()


@pytest.mark.parametrize("name", NAMES)
async def test_frozen_server_can_be_stopped_and_restarted(stack: Stack, name: str) -> None:
    server: Server = getattr(stack, name)
    processes = members(server)
    await server.freeze()
    await server.stop()
    await server.stop()
    assert not alive(processes)
    assert await server.condition() == "stopped"
    await server.start()
    await server.start()
    assert await server.condition() == "running"


async def test_queries_hang_on_a_frozen_primary(stack: Stack) -> None:
    async with connected(stack.urls.postgres) as primary:
        await stack.postgres.freeze()
        query = asyncio.ensure_future(primary.fetchval("SELECT 1"))
        done, _ = await asyncio.wait({query}, timeout=0.3)
        assert not done
        await stack.postgres.thaw()
        assert await query == 1


async def test_data_survives_a_kill(stack: Stack) -> None:
    producer = AIOKafkaProducer(bootstrap_servers=stack.urls.kafka, acks="all", enable_idempotence=True)
    async with (
        connected(stack.urls.postgres) as primary,
        producer,
        AsyncMongoClient[dict[str, Any]](stack.urls.mongo) as client,
    ):
        await primary.execute("CREATE TABLE IF NOT EXISTS kept (n int)")
        await primary.execute("INSERT INTO kept VALUES (7)")
        await client["local_servers"]["kept"].insert_one({"n": 7})
        sent = await producer.send_and_wait(ROUTE_EVENTS.name, b"kept", key=b"kept", partition=1)
    for server in (stack.postgres, stack.kafka, stack.mongo):
        await server.kill()
        await server.start()
    async with connected(stack.urls.postgres) as primary, AsyncMongoClient[dict[str, Any]](stack.urls.mongo) as client:
        assert await primary.fetchval("SELECT count(*) FROM kept WHERE n = 7") > 0
        assert await client["local_servers"]["kept"].count_documents({"n": 7}) > 0
    assert await _value_at(stack, sent.partition, sent.offset) == b"kept"


async def test_replica_streams_again_after_the_primary_was_killed(stack: Stack) -> None:
    await stack.postgres.kill()
    await stack.postgres.start()
    async with connected(stack.urls.postgres) as primary, connected(stack.urls.replicas[0]) as replica:
        await primary.execute("CREATE TABLE followed (n int)")

        async def has_arrived() -> bool:
            return await replica.fetchval("SELECT to_regclass('followed')") is not None

        await eventually(has_arrived)


async def test_replica_starts_and_answers_while_the_primary_is_down(stack: Stack) -> None:
    await stack.replica.stop()
    await stack.postgres.stop()
    await stack.replica.start()
    async with connected(stack.urls.replicas[0]) as replica:
        assert await replica.fetchval("SELECT 1") == 1
    await stack.postgres.start()


async def _value_at(stack: Stack, partition: int, offset: int) -> bytes:
    consumer = AIOKafkaConsumer(bootstrap_servers=stack.urls.kafka, enable_auto_commit=False)
    await consumer.start()
    try:
        place = TopicPartition(ROUTE_EVENTS.name, partition)
        consumer.assign([place])
        consumer.seek(place, offset)
        async with asyncio.timeout(10):
            record = await consumer.getone()
        return bytes(record.value)
    finally:
        await consumer.stop()
