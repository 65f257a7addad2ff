"""What the drill breaks, how it is mended, and which alert must arrive."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass

import asyncpg

from deploy.drill.load import Load
from deploy.local.server import Server
from deploy.local.stack import Stack

_RELAY_LOCK = 7_245_002
"""The advisory lock of the leading relay (control_plane/adapters/postgres/outbox_session.py)."""


@dataclass(frozen=True, slots=True)
class Scenario:
    """A fault, which lasts while its context is open. `consequences` are further pages that the fault makes true."""

    name: str
    alert: str
    fault: Callable[[Stack, Load], AbstractAsyncContextManager[None]]
    consequences: frozenset[str] = frozenset()


@asynccontextmanager
async def _sources_killed(stack: Stack, load: Load) -> AsyncIterator[None]:
    """No source answers, and callers resolve routes that no cache has. Writes pause: they would fail too."""
    load.writes = False
    servers: tuple[Server, ...] = (stack.redis, stack.replica, stack.postgres)
    async with asyncio.TaskGroup() as group:
        for server in servers:
            group.create_task(server.kill())
    load.unknown_routes = True
    try:
        yield
    finally:
        await stack.start()
        load.unknown_routes = False
        load.writes = True


@asynccontextmanager
async def _relay_frozen(stack: Stack, _load: Load) -> AsyncIterator[None]:
    """Another session takes the relay's lock, as a hung process would keep it, so that no relay publishes."""
    holder = await asyncpg.connect(stack.urls.postgres)
    other = await asyncpg.connect(stack.urls.postgres)
    try:
        waiting = asyncio.create_task(holder.execute("SELECT pg_advisory_lock($1)", _RELAY_LOCK))
        await asyncio.sleep(0.5)  # so that this session is the next in the queue
        await other.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_locks"
            " WHERE locktype = 'advisory' AND objid = $1 AND granted AND pid <> pg_backend_pid()",
            _RELAY_LOCK,
        )
        await waiting
        yield
    finally:
        await holder.close()
        await other.close()


@asynccontextmanager
async def _kafka_killed(stack: Stack, _load: Load) -> AsyncIterator[None]:
    await stack.kafka.kill()
    try:
        yield
    finally:
        await stack.start()


@asynccontextmanager
async def _mongo_killed(stack: Stack, _load: Load) -> AsyncIterator[None]:
    await stack.mongo.kill()
    try:
        yield
    finally:
        await stack.start()


@asynccontextmanager
async def _replay_paused(stack: Stack, _load: Load) -> AsyncIterator[None]:
    replica = await asyncpg.connect(stack.urls.replicas[0])
    try:
        await replica.execute("SELECT pg_wal_replay_pause()")
        yield
    finally:
        await replica.execute("SELECT pg_wal_replay_resume()")
        await replica.close()


SCENARIOS = (
    Scenario("sources-killed", "TrafficManagerResolveAvailabilityBudgetBurn", _sources_killed),
    Scenario("relay-frozen", "TrafficManagerOutboxStuck", _relay_frozen),
    Scenario("kafka-killed", "TrafficManagerOutboxStuck", _kafka_killed),
    Scenario("mongo-killed", "TrafficManagerConsumerStalled", _mongo_killed),
    Scenario("replay-paused", "TrafficManagerReplicaUnusable", _replay_paused),
)
