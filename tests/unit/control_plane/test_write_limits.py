"""Rate limits of writes, per tenant and per credential."""

import re

import httpx2
import pytest

from control_plane.domain.routes import Tenant
from control_plane.errors import TooManyWrites
from control_plane.service.write_limits import WriteLimits
from control_plane.settings import ControlPlaneSettings
from shared.runtime.metrics import Metrics
from shared.runtime.service import Service
from shared.runtime.token_buckets import Rate
from tests.fakes.control_plane_registry import FakeRegistry
from tests.support.clocks import MovableClock

ROUTE = "/tenants/team-a/routes/payments/prod/v1"
BODY = {"url": "https://one.example/"}


@pytest.fixture
def settings() -> ControlPlaneSettings:
    return ControlPlaneSettings(
        tenant_writes_per_second=0.5, tenant_write_burst=3, credential_writes_per_second=0.1, credential_write_burst=5
    )


@pytest.fixture(autouse=True)
def _tenants(registry: FakeRegistry) -> None:
    for name in ("team-a", "team-b"):
        registry.tenants[name] = Tenant(name, 0, registry.now)


async def test_write_response_has_the_rate_limit_status_of_tenant_and_credential(client: httpx2.AsyncClient) -> None:
    answer = await client.put(ROUTE, json=BODY)
    assert answer.headers["RateLimit-Policy"] == '"tenant";q=3;w=6, "credential";q=5;w=50'
    assert re.fullmatch(r'"tenant";r=2;t=\d+, "credential";r=4;t=\d+', answer.headers["RateLimit"])


async def test_tenant_over_its_rate_is_refused_and_another_is_not(client: httpx2.AsyncClient) -> None:
    statuses = [(await client.put(ROUTE, json=BODY)).status_code for _ in range(3)]
    assert statuses == [201, 200, 200]
    refused = await client.put(ROUTE, json=BODY)
    assert (refused.status_code, refused.headers["Retry-After"]) == (429, "2")
    assert refused.headers["RateLimit"].startswith('"tenant";r=0;t=')
    assert refused.json()["type"].endswith("too-many-writes")
    assert "team-a" in refused.json()["detail"]
    assert (await client.put("/tenants/team-b/routes/a/b/c", json=BODY)).status_code == 201
    exposed = (await client.get("http://test/metrics")).text
    assert 'tm_http_requests_shed_total{reason="rate_limited"} 1.0' in exposed


async def test_credential_over_its_rate_is_refused_for_every_tenant_and_another_is_not(
    client: httpx2.AsyncClient,
) -> None:
    for path in ("/tenants/team-a", "/tenants/team-b", "/tenants/team-a", "/tenants/team-b", "/tenants/team-a"):
        assert (await client.put(path, headers={"X-Actor": "ci-bot"})).status_code == 200
    refused = await client.put("/tenants/team-b", headers={"X-Actor": "ci-bot"})
    assert (refused.status_code, refused.headers["Retry-After"]) == (429, "10")
    assert (await client.put("/tenants/team-b", headers={"X-Actor": "ada"})).status_code == 200


async def test_refused_write_changes_nothing_and_takes_no_token(
    client: httpx2.AsyncClient, registry: FakeRegistry
) -> None:
    for _ in range(3):
        await client.put(ROUTE, json=BODY)
    before = len(registry.committed)
    levels = {(await client.put(ROUTE, json={"url": "https://two.example/"})).headers["RateLimit"] for _ in range(3)}
    assert len(registry.committed) == before
    assert {re.sub(r"t=\d+", "t", each) for each in levels} == {'"tenant";r=0;t, "credential";r=2;t'}


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("PUT", ROUTE),
        ("DELETE", ROUTE),
        ("POST", f"{ROUTE}/activate"),
        ("POST", f"{ROUTE}/deactivate"),
        ("POST", "/tenants/team-a/changes"),
        ("PUT", "/tenants/team-a/routes"),
        ("POST", "/tenants/team-a/changes/1/revert"),
        ("POST", "/tenants/team-a/revert-to/0"),
    ],
)
async def test_every_kind_of_write_and_a_dry_run_take_from_the_same_bucket(
    client: httpx2.AsyncClient, method: str, path: str
) -> None:
    plan = {"dry_run": True, "changes": [{"op": "put", "service": "a", "env": "b", "version": "c", **BODY}]}
    for _ in range(3):
        assert (await client.post("/tenants/team-a/changes", json=plan)).status_code == 200
    assert (await client.request(method, path, json={})).status_code == 429


async def test_reads_are_not_limited(client: httpx2.AsyncClient) -> None:
    for _ in range(10):
        answer = await client.get("/tenants/team-a")
        assert answer.status_code == 200
        assert "RateLimit" not in answer.headers


def limits(**rates: Rate) -> tuple[WriteLimits, MovableClock]:
    clock = MovableClock()
    return WriteLimits(rates, max_concurrent=2, clock=clock, metrics=Metrics(Service.CONTROL_PLANE)), clock


def test_writes_in_flight_of_a_tenant_are_limited() -> None:
    guard, _ = limits()
    guard.enter("team-a", "ci")
    guard.enter("team-a", "ada")
    with pytest.raises(TooManyWrites, match="2 writes in flight") as refused:
        guard.enter("team-a", "ci")
    assert refused.value.retry_after == 1
    guard.enter("team-b", "ci")
    guard.leave("team-a")
    guard.enter("team-a", "ci")


def test_caller_that_waits_for_retry_after_is_admitted() -> None:
    guard, clock = limits(tenant=Rate(10, 1))
    guard.enter("team-a", "ci")
    guard.leave("team-a")
    for _ in range(20):
        with pytest.raises(TooManyWrites) as refused:
            guard.enter("team-a", "ci")
        clock.advance(refused.value.retry_after)
        guard.enter("team-a", "ci")
        guard.leave("team-a")


def test_without_rates_nothing_is_limited() -> None:
    guard, _ = limits()
    for _ in range(1000):
        guard.enter("team-a", "ci")
        guard.leave("team-a")
    assert list(guard.statuses("team-a", "ci")) == []


def test_write_refused_for_being_one_too_many_in_flight_takes_no_token() -> None:
    guard, _ = limits(tenant=Rate(1, 10), credential=Rate(1, 10))
    for _ in range(2):
        guard.enter("team-a", "ci")
    for _ in range(5):
        with pytest.raises(TooManyWrites, match="in flight"):
            guard.enter("team-a", "ci")
    assert [each.level.remaining for each in guard.statuses("team-a", "ci")] == [8, 8]
