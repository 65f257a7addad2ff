"""How often a caller may read the control API."""

import httpx2
import pytest

from control_plane.settings import ControlPlaneSettings


@pytest.fixture
def settings() -> ControlPlaneSettings:
    return ControlPlaneSettings(tenant_reads_per_second=0.1, tenant_read_burst=3)


@pytest.mark.parametrize("path", ["/tenants", "/tenants/team-a", "/tenants/team-a/routes", "/tenants/team-a/changes"])
async def test_reads_beyond_the_limit_are_refused_and_writes_are_not(client: httpx2.AsyncClient, path: str) -> None:
    assert (await client.put("/tenants/team-a")).status_code == 201
    assert [(await client.get(path)).status_code for _ in range(3)] == [200] * 3
    refused = await client.get(path)
    assert (refused.status_code, refused.headers["Retry-After"]) == (429, "10")
    assert refused.json()["type"] == "urn:traffic-manager:problem:too-many-reads"
    assert (await client.put("/tenants/team-b")).status_code == 201
    assert (await client.get(path, headers={"X-Actor": "ada"})).status_code == 200
