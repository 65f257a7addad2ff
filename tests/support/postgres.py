"""A migrated database per test, on the real primary and its replica."""

import secrets
from collections.abc import AsyncIterator
from dataclasses import dataclass
from urllib.parse import urlsplit

import asyncpg
import pytest_asyncio

from control_plane.adapters.postgres.migrator import migrate
from deploy.local.stack import Stack
from tests.support.waiting import eventually


@dataclass(frozen=True, slots=True)
class Database:
    """The database of one test, by its URLs on the primary and on the replica."""

    url: str
    replica_url: str


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def migrated_template(stack: Stack) -> AsyncIterator[str]:
    """The name of a template database at the newest schema version."""
    name = _new_name("template")
    await _administer(stack, f"CREATE DATABASE {name}")
    try:
        await migrate(_named(stack.urls.postgres, name))
        yield name
    finally:
        await _administer(stack, f"DROP DATABASE {name} WITH (FORCE)")


@pytest_asyncio.fixture(loop_scope="session")
async def database(stack: Stack, migrated_template: str) -> AsyncIterator[Database]:
    """A migrated database without rows, which also exists on the replica."""
    async for each in _temporary(stack, f"TEMPLATE {migrated_template}"):
        yield each


@pytest_asyncio.fixture(loop_scope="session")
async def empty_database(stack: Stack) -> AsyncIterator[Database]:
    """A database without tables."""
    async for each in _temporary(stack, ""):
        yield each


async def _temporary(stack: Stack, template: str) -> AsyncIterator[Database]:
    name = _new_name("test")
    await _administer(stack, f"CREATE DATABASE {name} {template}")
    try:
        made = Database(_named(stack.urls.postgres, name), _named(stack.urls.replicas[0], name))
        await eventually(lambda: _answers(made.replica_url))
        yield made
    finally:
        await _administer(stack, f"DROP DATABASE {name} WITH (FORCE)")


def _new_name(purpose: str) -> str:
    return f"tm_{purpose}_{secrets.token_hex(6)}"


def _named(url: str, database: str) -> str:
    return urlsplit(url)._replace(path=f"/{database}").geturl()


async def _answers(url: str) -> bool:
    try:
        connection = await asyncpg.connect(url, timeout=5)
    except (asyncpg.InvalidCatalogNameError, asyncpg.CannotConnectNowError):
        return False
    await connection.close()
    return True


async def _administer(stack: Stack, statement: str) -> None:
    connection = await asyncpg.connect(_named(stack.urls.postgres, "postgres"), timeout=5)
    try:
        await connection.execute(statement)
    finally:
        await connection.close()
