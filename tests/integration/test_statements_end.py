"""No statement stays at work in PostgreSQL after its caller has given up, and no migration fails a request."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import asyncpg
import pytest

from control_plane.adapters.postgres.primary import Primary
from control_plane.domain.changes import Attribution, WantedChangeSet, WantedRoute
from control_plane.domain.history import HistoryFilter
from control_plane.domain.routes import RouteFilter
from data_plane.adapters.postgres.sessions import Sessions
from shared.runtime.deadlines import time_limit
from shared.runtime.metrics import Metrics
from shared.runtime.resilience import DependencyUnavailable
from shared.runtime.service import Service
from shared.schemas.identity import RouteKey
from tests.support.control_plane import new_guard, open_registry
from tests.support.postgres import Database
from tests.support.waiting import eventually

TIMEOUT_SECONDS = 0.5
LONG = "SELECT pg_sleep(60)"
_AT_WORK = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND query LIKE '%pg_sleep(60)'"
_AT_WORK += " AND state = 'active' AND pid <> pg_backend_pid()"


async def _greet(_: object) -> None:
    """Nothing to remember."""


@asynccontextmanager
async def a_primary(url: str, guard_seconds: float) -> AsyncIterator[Primary]:
    guard = new_guard("postgres", Metrics(Service.CONTROL_PLANE), timeout=guard_seconds)
    async with Primary(url, size=1, deadline_seconds=guard_seconds, guard=guard) as primary:
        yield primary


@asynccontextmanager
async def a_session(url: str, timeout_seconds: float) -> AsyncIterator[Sessions[None]]:
    sessions = Sessions(
        "postgres", url, 1, timeout_seconds=timeout_seconds, greet=_greet, on_up=lambda: None, on_down=lambda _: None
    )
    keeping = asyncio.create_task(sessions.keep_open())
    try:
        async with asyncio.timeout(10):
            await sessions.connected.wait()
        yield sessions
    finally:
        keeping.cancel()
        await asyncio.wait({keeping})


async def _sleep_in_the_primary(primary: Primary) -> None:
    async with primary.read("team-a") as connection:
        await connection.fetch(LONG)


async def _sleep_in_a_session(sessions: Sessions[None]) -> None:
    async with sessions.one() as session:
        await session.connection.fetch(LONG)


async def test_statement_of_the_control_plane_ends_before_its_caller_gives_up(database: Database) -> None:
    async with a_primary(database.url, TIMEOUT_SECONDS) as primary:
        with pytest.raises(DependencyUnavailable, match="QueryCanceled"):
            await _sleep_in_the_primary(primary)
        assert await _count(database) == 0


async def test_statement_ends_before_a_caller_that_has_waited_already_gives_up(database: Database) -> None:
    async with a_primary(database.url, 60) as primary, asyncio.timeout(5):
        with pytest.raises(DependencyUnavailable, match="QueryCanceled"):
            async with time_limit(TIMEOUT_SECONDS):
                await _sleep_in_the_primary(primary)
        assert await _count(database) == 0


async def test_lock_is_waited_for_no_longer_than_a_caller_that_has_waited_already(database: Database) -> None:
    async with a_primary(database.url, 60) as primary, asyncio.timeout(5):
        administrator = await asyncpg.connect(database.url)
        await administrator.execute("BEGIN; LOCK TABLE tenants")
        with pytest.raises(DependencyUnavailable, match="LockNotAvailable"):
            async with time_limit(TIMEOUT_SECONDS), primary.read("team-a") as connection:
                await connection.fetch("SELECT FROM tenants")
        await administrator.close()


async def test_query_of_a_resolver_ends_before_its_caller_gives_up(database: Database) -> None:
    async with a_session(database.url, TIMEOUT_SECONDS) as sessions:
        with pytest.raises(asyncpg.QueryCanceledError):
            await _sleep_in_a_session(sessions)
        assert await _count(database) == 0


@pytest.mark.parametrize("reader", ["control plane", "resolver"])
async def test_statement_ends_soon_after_its_caller_was_cut_off(database: Database, reader: str) -> None:
    async with a_primary(database.url, 60) as primary, a_session(database.url, 60) as sessions:
        reading = _sleep_in_the_primary(primary) if reader == "control plane" else _sleep_in_a_session(sessions)
        task = asyncio.create_task(reading)
        await eventually(lambda: _has_count(database, 1))
        task.cancel()
        await eventually(lambda: _has_count(database, 0))


async def test_change_of_a_columns_type_fails_no_request(database: Database) -> None:
    key, by = RouteKey("team-a", "payments", "prod", "v1"), Attribution("ada", None, "req-1")
    async with open_registry(database.url, size=1) as registry:

        async def use_everything(url: str) -> None:
            await registry.apply(WantedChangeSet("team-a", (WantedRoute(key, True, url),)), by)
            await registry.apply(WantedChangeSet("team-a", (WantedRoute(key, True, url),)), by)
            assert (await registry.routes.get(key)).value.url == url
            assert await registry.routes.page("team-a", RouteFilter(), None, 10)
            assert await registry.history.page("team-a", HistoryFilter(), None, 10)
            assert (await registry.history.get("team-a", 1)).changes
            assert (await registry.tenants.get("team-a")).name == "team-a"

        await registry.tenants.create("team-a")
        await use_everything("https://one.example/")
        administrator = await asyncpg.connect(database.url)
        for column in ("endpoints ALTER COLUMN url", "changes ALTER COLUMN url", "change_sets ALTER COLUMN reason"):
            await administrator.execute(f"ALTER TABLE {column} TYPE varchar(3000)")
        await administrator.close()
        await use_everything("https://two.example/")


async def _count(database: Database) -> int:
    connection = await asyncpg.connect(database.url)
    try:
        count: int = await connection.fetchval(_AT_WORK)
        return count
    finally:
        await connection.close()


async def _has_count(database: Database, expected: int) -> bool:
    return await _count(database) == expected
