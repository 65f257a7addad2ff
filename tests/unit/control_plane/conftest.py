"""The control plane's HTTP API on fakes."""

from collections.abc import AsyncIterator

import httpx2
import pytest
import pytest_asyncio

from control_plane.composition.app import build_app
from control_plane.composition.connect import new_health
from control_plane.settings import ControlPlaneSettings
from shared.runtime.access.assembly import Access
from shared.runtime.access.open_access import OpenAccess
from shared.runtime.health import Health
from shared.runtime.http.telemetry import TelemetryMiddleware
from shared.runtime.metrics import Metrics
from shared.runtime.service import Service
from tests.fakes.control_plane_ports import fake_ports
from tests.fakes.control_plane_propagation import FakePublications, FakeStatusReports
from tests.fakes.control_plane_registry import FakeRegistry


@pytest.fixture
def registry() -> FakeRegistry:
    return FakeRegistry()


@pytest.fixture
def settings() -> ControlPlaneSettings:
    return ControlPlaneSettings()


@pytest.fixture
def health() -> Health:
    return new_health()


@pytest.fixture
def publications(registry: FakeRegistry) -> FakePublications:
    return FakePublications(registry)


@pytest.fixture
def reports() -> FakeStatusReports:
    return FakeStatusReports()


@pytest.fixture
def app(
    registry: FakeRegistry,
    settings: ControlPlaneSettings,
    health: Health,
    publications: FakePublications,
    reports: FakeStatusReports,
) -> TelemetryMiddleware:
    return build_app(
        fake_ports(registry, publications=publications, reports=reports),
        settings=settings,
        health=health,
        metrics=Metrics(Service.CONTROL_PLANE),
        access=Access(OpenAccess()),
    )


@pytest_asyncio.fixture(loop_scope="session")
async def client(app: TelemetryMiddleware) -> AsyncIterator[httpx2.AsyncClient]:
    transport = httpx2.ASGITransport(app=app, raise_app_exceptions=False)  # type: ignore[arg-type]
    async with httpx2.AsyncClient(transport=transport, base_url="http://test/api/v1") as client:
        yield client


@pytest_asyncio.fixture(loop_scope="session")
async def team_a(client: httpx2.AsyncClient) -> None:
    """The tenant team-a, without routes."""
    await client.put("/tenants/team-a")
