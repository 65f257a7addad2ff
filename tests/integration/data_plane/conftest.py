"""Real servers, and resolver processes' parts on them, run inside the test process."""

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager

import asyncpg
import pytest

from data_plane.composition.connect import ResolverProcess, connect
from data_plane.settings import DataPlaneSettings
from deploy.local.stack import Stack
from tests.support.postgres import Database
from tests.support.resolver_process import StartResolver
from tests.support.route_writer import RouteWriter
from tests.support.standby import Standby


@pytest.fixture
async def routes(database: Database) -> AsyncIterator[RouteWriter]:
    """Writes routes into the test's database."""
    connection = await asyncpg.connect(database.url, timeout=5)
    yield RouteWriter(connection)
    await connection.close()


@pytest.fixture
async def start(stack: Stack, database: Database) -> StartResolver:
    """Starts a resolver, with long timeouts: its servers share a busy machine with the tests."""

    @asynccontextmanager
    async def start_instance(**changed: object) -> AsyncIterator[ResolverProcess]:
        values = {
            "access": "off",
            "replica_urls": database.replica_url,
            "postgres_url": database.url,
            "redis_url": stack.urls.redis,
            "kafka_bootstrap": stack.urls.kafka,
            "database_timeout_seconds": 2.0,
            "resolve_deadline_seconds": 5.0,
            "redis_timeout_seconds": 1.0,
            "kafka_start_seconds": 15.0,
            "warmup_seconds": 0,  # it would load the routes of all tests, which Redis has
        }
        process = connect(DataPlaneSettings.model_validate({**values, **changed}))
        async with process.running():
            yield process

    return start_instance


@pytest.fixture
async def pair(start: StartResolver) -> AsyncIterator[tuple[ResolverProcess, ResolverProcess]]:
    """Two resolvers on the same servers."""
    async with AsyncExitStack() as opened:
        yield (
            await opened.enter_async_context(start(instance_id="one")),
            await opened.enter_async_context(start(instance_id="two")),
        )


@pytest.fixture
async def standby(stack: Stack) -> AsyncIterator[Standby]:
    """The replica's server, shared by all tests. Its replay is resumed after the test."""
    connection = await asyncpg.connect(stack.urls.replicas[0], timeout=5)
    primary = await asyncpg.connect(stack.urls.postgres, timeout=5)
    standby = Standby(connection, primary)
    yield standby
    await standby.resume()
    await connection.close()
    await primary.close()
