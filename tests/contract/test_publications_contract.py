"""Positions of change sets in Kafka: PostgreSQL and the fake behave alike."""

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack
from dataclasses import dataclass
from datetime import timedelta

import pytest
import pytest_asyncio

from control_plane.adapters.postgres.publications import PostgresPublications
from control_plane.domain.changes import Attribution, WantedChangeSet, WantedRoute
from control_plane.domain.outbox import Acknowledged
from control_plane.domain.propagation import Position
from control_plane.domain.requests import ChangeRequest
from control_plane.errors import NoSuchRevision, NoSuchTenant
from control_plane.ports.propagation import Publications
from control_plane.ports.publishing import OutboxSession
from control_plane.ports.routes import Tenants
from control_plane.service.change_sets import ChangeSetService
from shared.schemas.identity import RouteKey
from tests.fakes.control_plane_change_sets import FakeChangeSets
from tests.fakes.control_plane_propagation import FakePublications
from tests.fakes.control_plane_registry import FakeRegistry, FakeTenants
from tests.support.control_plane import change_service, open_outbox, open_primary, open_registry
from tests.support.postgres import Database
from tests.support.waiting import eventually

ADA = Attribution("ada", "release 42", "req-1")


@dataclass
class Subject:
    """The port, and functions that change its answers."""

    publications: Publications
    tenants: Tenants
    changes: ChangeSetService
    publish: Callable[[str, int, Position], Awaitable[None]]
    """Acknowledge that tenant's revision, the only unsent one, at the position."""
    forget: Callable[[], Awaitable[None]]
    """The outbox is purged."""

    async def commit(self, tenant: str, url: str) -> None:
        route = WantedRoute(RouteKey(tenant, "payments", "prod", "v1"), True, url)
        await self.changes.carry_out(ChangeRequest(WantedChangeSet(tenant, (route,)), ADA))


@pytest.fixture(params=["fake", "postgres"])
def behind(request: pytest.FixtureRequest) -> Database | None:
    """The database behind the port; None for the fake."""
    return None if request.param == "fake" else request.getfixturevalue("database")


@pytest_asyncio.fixture(loop_scope="session")
async def subject(behind: Database | None) -> AsyncIterator[Subject]:
    """Two tenants; team-a has one change set, which is not published."""
    async with AsyncExitStack() as opened:
        subject = _fake() if behind is None else await _postgres(behind.url, opened)
        for tenant in ("team-a", "team-b"):
            await subject.tenants.create(tenant)
        await subject.commit("team-a", "http://one")
        yield subject


def _fake() -> Subject:
    registry = FakeRegistry()
    publications = FakePublications(registry)

    async def publish(tenant: str, revision: int, position: Position) -> None:
        publications.positions[tenant, revision] = position

    async def forget() -> None:
        publications.positions.update(dict.fromkeys(publications.positions))

    return Subject(publications, FakeTenants(registry), change_service(FakeChangeSets(registry)), publish, forget)


async def _postgres(url: str, opened: AsyncExitStack) -> Subject:
    registry = await opened.enter_async_context(open_registry(url))
    primary = await opened.enter_async_context(open_primary(url))
    outbox = await opened.enter_async_context(open_outbox(url))
    session: OutboxSession = await opened.enter_async_context(outbox.session(lambda: None))
    await eventually(session.try_lead)

    async def publish(_tenant: str, _revision: int, position: Position) -> None:
        [record] = (await session.unsent()).records
        await session.mark_sent([Acknowledged(record, position.partition, position.offset)])

    async def forget() -> None:
        assert await session.purge(timedelta(0)) > 0

    return Subject(PostgresPublications(primary), registry.tenants, registry.changes, publish, forget)


async def test_change_set_has_no_position_before_kafka_acknowledges_it(subject: Subject) -> None:
    waiting = await subject.publications.get("team-a", 1)
    assert (waiting.is_published, waiting.position) == (False, None)
    await subject.publish("team-a", 1, Position(3, 42))
    published = await subject.publications.get("team-a", 1)
    assert (published.is_published, published.position) == (True, Position(3, 42))
    assert published.committed_at == waiting.committed_at
    assert published.age_seconds > waiting.age_seconds >= 0


async def test_each_change_set_has_its_own_position(subject: Subject) -> None:
    await subject.publish("team-a", 1, Position(3, 42))
    await subject.commit("team-b", "http://one")
    await subject.publish("team-b", 1, Position(5, 7))
    await subject.commit("team-a", "http://two")
    positions = [
        (await subject.publications.get(*each)).position for each in (("team-a", 1), ("team-b", 1), ("team-a", 2))
    ]
    assert positions == [Position(3, 42), Position(5, 7), None]


async def test_change_set_with_a_purged_outbox_row_is_published_without_position(subject: Subject) -> None:
    await subject.publish("team-a", 1, Position(3, 42))
    await subject.forget()
    past = await subject.publications.get("team-a", 1)
    assert (past.is_published, past.position) == (True, None)


async def test_uncommitted_revision_has_no_publication(subject: Subject) -> None:
    for revision in (0, 2):
        with pytest.raises(NoSuchRevision):
            await subject.publications.get("team-a", revision)
    with pytest.raises(NoSuchTenant):
        await subject.publications.get("team-c", 1)
