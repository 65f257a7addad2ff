"""How many statements a change set sends to PostgreSQL; each of them is one round trip."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
import pytest_asyncio

from control_plane.adapters.postgres.change_sets import PostgresChangeSets
from control_plane.adapters.postgres.primary import Connection, Primary
from control_plane.adapters.postgres.tenants import PostgresTenants
from control_plane.domain.changes import Attribution, WantedChangeSet, WantedRoute
from control_plane.domain.plans import Plan
from control_plane.domain.requests import ChangeRequest, IdempotencyKey, RecordedResponse
from shared.runtime.metrics import Metrics
from shared.runtime.service import Service
from shared.schemas.identity import RouteKey
from tests.support.control_plane import change_service, new_guard
from tests.support.postgres import Database

ROUTE = RouteKey("team-a", "payments", "prod", "v1")
KEY: IdempotencyKey[Plan] = IdempotencyKey("k1", b"1" * 32, lambda _: RecordedResponse(200, {}, b""))


class CountingPrimary(Primary):
    """Counts the statements, BEGIN and COMMIT included."""

    statements = 0

    @asynccontextmanager
    async def connection(self, *, reads: bool = False) -> AsyncIterator[Connection]:
        async with super().connection(reads=reads) as connection:
            with connection.query_logger(self._count):
                yield connection

    def _count(self, _: object) -> None:
        self.statements += 1


@pytest_asyncio.fixture(loop_scope="session")
async def primary(database: Database) -> AsyncIterator[CountingPrimary]:
    """A tenant with one route, on a connection that has prepared what it needs."""
    guard = new_guard("postgres", Metrics(Service.CONTROL_PLANE))
    async with CountingPrimary(database.url, size=1, deadline_seconds=5.0, guard=guard) as primary:
        await PostgresTenants(primary).create("team-a")
        await _statements(primary, _put("http://before"))
        yield primary


def _put(url: str, key: IdempotencyKey[Plan] | None = None, *, dry_run: bool = False) -> ChangeRequest:
    wanted = WantedChangeSet("team-a", (WantedRoute(ROUTE, True, url),))
    return ChangeRequest(wanted, Attribution("ada", None, "req-1"), idempotency_key=key, dry_run=dry_run)


async def _statements(primary: CountingPrimary, request: ChangeRequest) -> int:
    primary.statements = 0
    await change_service(PostgresChangeSets(primary, Metrics(Service.CONTROL_PLANE))).carry_out(request)
    return primary.statements


@pytest.mark.parametrize(
    ("request_", "statements"),
    [
        pytest.param(_put("http://after"), 5, id="a change: begin, lock, read, write, commit"),
        pytest.param(_put("http://before"), 4, id="no change: begin, lock, read, commit"),
        pytest.param(_put("http://after", KEY), 7, id="idempotency key: it is looked up and its response recorded"),
        pytest.param(_put("http://after", dry_run=True), 4, id="dry run: begin, tenant, read, commit"),
    ],
)
async def test_change_set_sends_one_statement_per_step(
    primary: CountingPrimary, request_: ChangeRequest, statements: int
) -> None:
    assert await _statements(primary, request_) == statements


async def test_repeated_request_only_reads_its_recorded_response(primary: CountingPrimary) -> None:
    await _statements(primary, _put("http://after", KEY))
    assert await _statements(primary, _put("http://after", KEY)) == 4
