"""Audit events are acknowledged by a majority of servers and their journals before their offsets are committed."""

from collections.abc import AsyncIterator
from typing import Any

import pytest_asyncio
from pymongo import AsyncMongoClient

from audit_consumer.adapters.mongo import audit_trail as mongo
from deploy.local.stack import Stack
from tests.support.audit import a_name, an_event
from tests.support.audit_servers import a_trail


@pytest_asyncio.fixture
async def client(stack: Stack) -> AsyncIterator[AsyncMongoClient[dict[str, Any]]]:
    async with AsyncMongoClient[dict[str, Any]](stack.urls.mongo) as client:
        yield client


async def test_events_are_written_with_majority_and_journal(
    stack: Stack, client: AsyncMongoClient[dict[str, Any]]
) -> None:
    database = client[a_name()]
    async with a_trail(stack, database.name) as trail:
        await database.command("profile", 2)  # The server records every command.
        await trail.store([an_event()])
        await database.command("profile", 0)
        writes = await database["system.profile"].find({"op": "insert", "command.insert": mongo.COLLECTION}).to_list()
    concerns = [each["command"]["writeConcern"] for each in writes]
    assert [(each["w"], each["j"]) for each in concerns] == [("majority", True)]
    assert 0 < concerns[0]["wtimeout"] <= 5_000
