"""The installation: PostgreSQL and the fake count alike."""

from collections.abc import AsyncIterator
from dataclasses import dataclass

import pytest
import pytest_asyncio

from control_plane.adapters.postgres.change_sets import PostgresChangeSets
from control_plane.adapters.postgres.installation import PostgresInstallation
from control_plane.adapters.postgres.tenants import PostgresTenants
from control_plane.domain.changes import Attribution, WantedChangeSet, WantedRoute
from control_plane.domain.installation import InstallationSize
from control_plane.domain.requests import ChangeRequest
from control_plane.ports.change_sets import ChangeSets
from control_plane.ports.installation import Installation
from control_plane.ports.routes import Tenants
from shared.runtime.metrics import Metrics
from shared.runtime.service import Service
from shared.schemas.identity import RouteKey
from tests.fakes.control_plane_change_sets import FakeChangeSets
from tests.fakes.control_plane_installation import FakeInstallation
from tests.fakes.control_plane_registry import FakeRegistry, FakeTenants
from tests.support.control_plane import change_service, open_primary
from tests.support.postgres import Database


@dataclass
class Subject:
    """The installation, and the ports that fill it."""

    installation: Installation
    tenants: Tenants
    change_sets: ChangeSets

    async def put(self, tenant: str, service: str, *, is_active: bool) -> None:
        """Create a route."""
        wanted = WantedRoute(RouteKey(tenant, service, "prod", "v1"), is_active=is_active, url="http://v1")
        by = Attribution("ada", None, "req-1")
        await change_service(self.change_sets).carry_out(ChangeRequest(WantedChangeSet(tenant, (wanted,)), by))


@pytest.fixture(params=["fake", "postgres"])
def behind(request: pytest.FixtureRequest) -> Database | None:
    """The database behind the port; None for the fake."""
    return None if request.param == "fake" else request.getfixturevalue("database")


@pytest_asyncio.fixture(loop_scope="session")
async def subject(behind: Database | None) -> AsyncIterator[Subject]:
    if behind is None:
        registry = FakeRegistry()
        yield Subject(FakeInstallation(registry), FakeTenants(registry), FakeChangeSets(registry))
        return
    async with open_primary(behind.url) as primary:
        change_sets = PostgresChangeSets(primary, Metrics(Service.CONTROL_PLANE))
        yield Subject(PostgresInstallation(primary), PostgresTenants(primary), change_sets)


async def test_tenants_and_routes_of_all_tenants_are_counted(subject: Subject) -> None:
    before = await subject.installation.size()
    for tenant in ("counted-a", "counted-b", "counted-empty"):
        await subject.tenants.create(tenant)
    await subject.put("counted-a", "payments", is_active=True)
    await subject.put("counted-b", "payments", is_active=True)
    await subject.put("counted-b", "ledger", is_active=False)
    assert await subject.installation.size() == InstallationSize(
        before.tenants + 3, before.active_routes + 2, before.inactive_routes + 1
    )


async def test_migrated_database_has_the_required_schema(subject: Subject) -> None:
    assert await subject.installation.has_required_schema()
