"""The real servers, started once per test session."""

from collections.abc import AsyncIterator

import pytest
import pytest_asyncio

from deploy.local.stack import Stack, open_stack


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def stack(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Stack]:
    """PostgreSQL with a replica, Redis, Kafka and MongoDB, with their own state, apart from the stack of `make up`."""
    stack = open_stack(tmp_path_factory.mktemp("servers"))
    try:
        await stack.start()
        yield stack
    finally:
        await stack.stop()
        stack.purge()
