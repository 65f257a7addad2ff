"""A tenant's credential reads its own events only, while the trail holds another tenant's."""

from collections.abc import AsyncIterator, Mapping
from datetime import timedelta
from typing import Any

import httpx2
import pytest
import pytest_asyncio

from shared.runtime.access.tokens import AccessKey
from shared.runtime.service import Service
from shared.schemas.access import Role
from shared.schemas.events import Action
from tests.fakes.audit_ports import audit_app
from tests.fakes.audit_trail import FakeAuditTrail
from tests.support.access import AccessFixture, bearer
from tests.support.audit import EPOCH, an_event, client_of
from tests.support.clocks import MovableClock

OWN, FOREIGN = "team-a", "team-b"
EVENTS_PER_TENANT = 4
EMPTY = {"count": 0, "events": [], "next_cursor": None}
RANGE = {"start": "2026-01-01T00:00:00Z", "end": "2026-01-02T00:00:00Z"}
WITHOUT_TENANT: list[tuple[str, dict[str, str]]] = [
    ("/recent", {}),
    ("/action", {"action": "created"}),
    ("/time-range", RANGE),
    ("/correlation/req-1", {}),
]
ENDPOINTS = [("/route", {"service": "payments", "env": "prod", "version": "v1"}), *WITHOUT_TENANT]
TENANT_ROLES = [Role.VIEWER, Role.EDITOR]


class Api:
    """The application over a trail with the same changes of two tenants, and a client of each caller."""

    def __init__(self, http: httpx2.AsyncClient, access: AccessFixture) -> None:
        self._http = http
        self._access = access

    def key(self, role: Role, tenant: str = OWN) -> AccessKey:
        return self._access.admit(role, tenant)

    async def page(self, key: AccessKey, path: str, parameters: Mapping[str, str]) -> dict[str, Any]:
        answer = await self.get(key, path, parameters)
        assert answer.status_code == 200, answer.text
        page: dict[str, Any] = answer.json()
        return page

    async def get(self, key: AccessKey, path: str, parameters: Mapping[str, str]) -> httpx2.Response:
        return await self._http.get(f"/api/v1/audit{path}", params=dict(parameters), headers=bearer(key))


@pytest_asyncio.fixture
async def api() -> AsyncIterator[Api]:
    trail, access = FakeAuditTrail(), AccessFixture(Service.AUDIT_CONSUMER)
    await trail.store(
        [
            an_event(Action.CREATED, seconds=second, revision=second, tenant=tenant, correlation_id="req-1")
            for second in range(1, EVENTS_PER_TENANT + 1)
            for tenant in (OWN, FOREIGN)
        ]
    )
    clock = MovableClock(EPOCH + timedelta(minutes=1))
    async with client_of(audit_app(trail, clock, access=access.access, metrics=access.metrics)) as http:
        yield Api(http, access)


def tenants_of(page: Mapping[str, Any]) -> set[str]:
    return {each["route"]["tenant"] for each in page["events"]}


@pytest.mark.parametrize("role", TENANT_ROLES)
@pytest.mark.parametrize(("path", "parameters"), ENDPOINTS)
async def test_page_of_another_tenant_is_empty(api: Api, path: str, parameters: dict[str, str], role: Role) -> None:
    key = api.key(role)
    assert await api.page(key, path, {**parameters, "tenant": FOREIGN}) == EMPTY
    assert await api.page(key, path, {**parameters, "tenant": FOREIGN, "limit": "1"}) == EMPTY
    own = await api.page(key, path, {**parameters, "tenant": OWN})
    assert (own["count"], tenants_of(own)) == (EVENTS_PER_TENANT, {OWN})


@pytest.mark.parametrize("role", TENANT_ROLES)
@pytest.mark.parametrize(("path", "parameters"), WITHOUT_TENANT)
async def test_query_without_a_tenant_returns_the_callers_events_only(
    api: Api, path: str, parameters: dict[str, str], role: Role
) -> None:
    page = await api.page(api.key(role), path, parameters)
    assert (page["count"], tenants_of(page)) == (EVENTS_PER_TENANT, {OWN})


@pytest.mark.parametrize(("path", "parameters"), WITHOUT_TENANT)
async def test_every_page_of_a_query_has_the_callers_events_only(
    api: Api, path: str, parameters: dict[str, str]
) -> None:
    key = api.key(Role.VIEWER)
    revisions: list[int] = []
    page = await api.page(key, path, {**parameters, "limit": "1"})
    while True:
        assert tenants_of(page) == {OWN}
        revisions += [each["revision"] for each in page["events"]]
        if page["next_cursor"] is None:
            break
        page = await api.page(key, path, {**parameters, "limit": "1", "cursor": page["next_cursor"]})
    assert revisions == list(range(EVENTS_PER_TENANT, 0, -1))


@pytest.mark.parametrize("issuer", [Role.ADMIN, Role.VIEWER])
@pytest.mark.parametrize(("path", "parameters"), ENDPOINTS)
async def test_cursor_of_another_tenants_query_returns_nothing(
    api: Api, path: str, parameters: dict[str, str], issuer: Role
) -> None:
    query = {**parameters, "tenant": FOREIGN, "limit": "1"}
    cursor = (await api.page(api.key(issuer, FOREIGN), path, query))["next_cursor"]
    assert cursor is not None
    key = api.key(Role.VIEWER)
    assert await api.page(key, path, {**query, "cursor": cursor}) == EMPTY
    as_own = await api.get(key, path, {**query, "tenant": OWN, "cursor": cursor})
    assert (as_own.status_code, as_own.json()["errors"][0]["pointer"]) == (400, "/cursor")


@pytest.mark.parametrize(("path", "parameters"), WITHOUT_TENANT)
async def test_cursor_over_all_tenants_is_invalid_for_a_tenants_credential(
    api: Api, path: str, parameters: dict[str, str]
) -> None:
    query = {**parameters, "limit": "1"}
    cursor = (await api.page(api.key(Role.ADMIN), path, query))["next_cursor"]
    answer = await api.get(api.key(Role.VIEWER), path, {**query, "cursor": cursor})
    assert (answer.status_code, answer.json()["errors"][0]["pointer"]) == (400, "/cursor")


@pytest.mark.parametrize(("path", "parameters"), WITHOUT_TENANT)
async def test_admin_reads_the_events_of_every_tenant(api: Api, path: str, parameters: dict[str, str]) -> None:
    page = await api.page(api.key(Role.ADMIN), path, parameters)
    assert (page["count"], tenants_of(page)) == (2 * EVENTS_PER_TENANT, {OWN, FOREIGN})
