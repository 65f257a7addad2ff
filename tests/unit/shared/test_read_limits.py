"""Limits on the reads of each tenant, by number and by bytes."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import httpx2
import pytest
from litestar import get
from litestar.params import FromPath

from shared.runtime.health import Health
from shared.runtime.http.application import build_application
from shared.runtime.http.tenant_reads import limited_reads
from shared.runtime.metrics import Metrics
from shared.runtime.read_limits import ReadLimits, TooManyReads, rate_of
from shared.runtime.service import Service
from shared.runtime.token_buckets import Rate
from shared.schemas.access import Role
from tests.support.access import AccessFixture, bearer
from tests.support.clocks import MovableClock


def limits(requests: Rate | None = None, response_bytes: Rate | None = None) -> tuple[ReadLimits, MovableClock]:
    clock = MovableClock()
    return ReadLimits(requests, response_bytes, clock=clock, metrics=Metrics(Service.CONTROL_PLANE)), clock


def test_reads_beyond_the_rate_are_refused_until_the_stated_wait_is_over() -> None:
    reads, clock = limits(Rate(2, 3))
    for _ in range(3):
        reads.admit("team-a")
    with pytest.raises(TooManyReads, match="team-a sends more reads") as refused:
        reads.admit("team-a")
    reads.admit("team-b")
    clock.advance(refused.value.retry_after)
    reads.admit("team-a")


def test_large_response_is_paid_for_by_later_reads() -> None:
    reads, clock = limits(response_bytes=Rate(100, 1000))
    reads.admit("team-a")
    reads.charge("team-a", 1500)
    with pytest.raises(TooManyReads, match="receives more bytes") as refused:
        reads.admit("team-a")
    assert refused.value.retry_after == pytest.approx(5.01)
    reads.admit("team-b")
    clock.advance(refused.value.retry_after)
    reads.admit("team-a")


def test_refused_read_takes_no_token() -> None:
    reads, clock = limits(Rate(1, 1), Rate(1, 10))
    reads.charge("team-a", 12)
    for _ in range(5):
        with pytest.raises(TooManyReads):
            reads.admit("team-a")
    clock.advance(3)
    reads.admit("team-a")


def test_rate_of_zero_does_not_limit() -> None:
    reads, _ = limits(rate_of(0, 1), rate_of(0, 1))
    for _ in range(1000):
        reads.admit("team-a")
        reads.charge("team-a", 10**9)


@asynccontextmanager
async def client_of(reads: ReadLimits, access: AccessFixture) -> AsyncIterator[httpx2.AsyncClient]:
    @get("/things/{tenant:str}", opt={"operation": "routes.list"})
    async def things(tenant: FromPath[str]) -> str:
        return tenant[:1] * 100

    app = build_application(
        title="Test",
        description="A service with one read.",
        handlers=[limited_reads([things], reads)],
        problem_types={},
        health=Health({}, started=True),
        metrics=access.metrics,
        authenticator=access.authenticator,
    )
    transport = httpx2.ASGITransport(app=app, raise_app_exceptions=False)  # type: ignore[arg-type]
    async with httpx2.AsyncClient(transport=transport, base_url="http://test") as client:
        yield client


async def test_keys_of_one_tenant_share_its_limit_and_other_tenants_have_their_own() -> None:
    access = AccessFixture()
    reads = ReadLimits(Rate(0.5, 2), None, clock=MovableClock(), metrics=access.metrics)
    first, second = access.admit(Role.VIEWER), access.admit(Role.EDITOR)
    other = access.admit(Role.VIEWER, "team-b")
    async with client_of(reads, access) as client:
        for key in (first, second):
            assert (await client.get("/things/team-a", headers=bearer(key))).status_code == 200
        refused = await client.get("/things/team-a", headers=bearer(first))
        assert (refused.status_code, refused.headers["Retry-After"]) == (429, "2")
        assert refused.json()["type"] == "urn:traffic-manager:problem:too-many-reads"
        assert (await client.get("/things/team-b", headers=bearer(other))).status_code == 200
        exposed = (await client.get("/metrics")).text
        assert 'tm_http_requests_shed_total{reason="tenant_reads"} 1.0' in exposed


async def test_bytes_of_responses_count() -> None:
    access = AccessFixture()
    reads = ReadLimits(None, Rate(10, 150), clock=MovableClock(), metrics=access.metrics)
    key = access.admit(Role.VIEWER)
    async with client_of(reads, access) as client:
        statuses = [(await client.get("/things/team-a", headers=bearer(key))).status_code for _ in range(3)]
    assert statuses == [200, 200, 429]


async def test_caller_without_permission_uses_up_no_limit() -> None:
    access = AccessFixture()
    reads = ReadLimits(Rate(1, 1), None, clock=MovableClock(), metrics=access.metrics)
    resolver, viewer = access.admit(Role.RESOLVER), access.admit(Role.VIEWER)
    async with client_of(reads, access) as client:
        for _ in range(3):
            assert (await client.get("/things/team-a", headers=bearer(resolver))).status_code == 403
        assert (await client.get("/things/team-a", headers=bearer(viewer))).status_code == 200
