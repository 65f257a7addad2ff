"""The permission table: every role on every endpoint, for the own tenant and another one."""

import re
from typing import Any

import httpx2
import pytest

from shared.runtime.access.permissions import PERMISSIONS, TenantScope
from shared.runtime.service import Service
from shared.schemas.access import Role
from tests.support.access import AccessFixture, bearer
from tests.support.service_apps import Endpoint, app_of, endpoints, shared_app_of

ENDPOINTS = list(endpoints())
ALL = frozenset(Role)
READING = frozenset({Role.ADMIN, Role.EDITOR, Role.VIEWER})
WRITING = frozenset({Role.ADMIN, Role.EDITOR})
ADMINISTERING = frozenset({Role.ADMIN})
EXPECTED = {
    **dict.fromkeys(("routes.show", "routes.list", "tenants.show", "keys.list", "audit.query"), READING),
    **dict.fromkeys(("changes.list", "changes.show", "changes.compare", "changes.propagation"), READING),
    **dict.fromkeys(("routes.put", "routes.activate", "routes.deactivate", "routes.replace"), WRITING),
    **dict.fromkeys(("changes.apply", "changes.revert"), WRITING),
    **dict.fromkeys(("tenants.create", "tenants.list", "keys.create", "keys.rotate", "keys.revoke"), ADMINISTERING),
    **dict.fromkeys(("platform-keys.create", "platform-keys.list"), ADMINISTERING),
    **dict.fromkeys(("platform-keys.rotate", "platform-keys.revoke"), ADMINISTERING),
    **dict.fromkeys(("routes.resolve", "routes.resolve-many", "routes.explain", "routes.watch"), ALL),
}
"""The roles of each operation, written down apart from the table that the services decide by."""
NAMES = {
    "service": "payments",
    "env": "prod",
    "version": "v1",
    "correlation_id": "req-1",
    "key_id": "7jP2s9Xw4KbM",
    "revision": "1",
}
QUERIES = {
    "/api/v1/audit/route": {"service": "payments", "env": "prod", "version": "v1"},
    "/api/v1/audit/action": {"action": "created"},
    "/api/v1/audit/time-range": {"start": "2026-01-01T00:00:00Z", "end": "2026-02-01T00:00:00Z"},
}
VOLATILE = {"x-correlation-id", "date"}


async def ask(
    endpoint: Endpoint, tenant: str, role: Role | None, *, of: str = "team-a", apart_from: str = ""
) -> tuple[int, dict[str, str], str]:
    """Status, headers and body of the endpoint's answer; names and ids that differ by request are put aside."""
    access, app = shared_app_of(endpoint.service)
    headers = {} if role is None else bearer(access.admit(role, of))
    path = re.sub(r"{(\w+)}", lambda found: {**NAMES, "tenant": tenant}[found[1]], endpoint.template)
    query = (
        {**QUERIES.get(endpoint.template, {}), "tenant": tenant} if endpoint.service is Service.AUDIT_CONSUMER else {}
    )
    transport = httpx2.ASGITransport(app=app)  # type: ignore[arg-type]
    async with httpx2.AsyncClient(transport=transport, base_url="http://test") as http:
        answer = await http.request(endpoint.method, path, params=query, headers=headers)
    stable: dict[str, Any] = {name: value for name, value in answer.headers.items() if name not in VOLATILE}
    stable.pop("content-length", None)
    body = answer.text.replace(answer.headers["x-correlation-id"], "…").replace(apart_from or tenant, "<tenant>")
    return answer.status_code, stable, body


def test_every_endpoint_has_a_row_and_every_row_an_endpoint() -> None:
    assert {each.operation for each in ENDPOINTS} == set(PERMISSIONS) == set(EXPECTED)


@pytest.mark.parametrize("endpoint", ENDPOINTS, ids=str)
async def test_request_without_a_credential_is_refused(endpoint: Endpoint) -> None:
    status, headers, body = await ask(endpoint, "team-a", None)
    assert (status, headers["www-authenticate"], headers["content-type"]) == (401, "Bearer", "application/problem+json")
    assert "urn:traffic-manager:problem:unauthenticated" in body or endpoint.method == "HEAD"


@pytest.mark.parametrize("role", Role)
@pytest.mark.parametrize("endpoint", ENDPOINTS, ids=str)
async def test_role_has_the_expected_permissions_on_its_own_tenant(endpoint: Endpoint, role: Role) -> None:
    status, _, body = await ask(endpoint, "team-a", role)
    allowed = role in EXPECTED[endpoint.operation or ""]
    assert (status == 403) is not allowed, body
    assert status != 401
    assert status < 500


@pytest.mark.parametrize("role", [each for each in Role if each is not Role.ADMIN])
@pytest.mark.parametrize(
    "endpoint", [each for each in ENDPOINTS if PERMISSIONS[each.operation or ""].scope is TenantScope.PATH], ids=str
)
async def test_response_for_another_tenant_equals_that_for_an_absent_one(endpoint: Endpoint, role: Role) -> None:
    status, headers, body = await ask(endpoint, "team-b", role)
    assert status == 404
    if endpoint.service is Service.CONTROL_PLANE:
        assert "no-such-tenant" in body
    assert (status, headers, body) == await ask(endpoint, "never-made", role)


async def test_response_for_the_callers_own_absent_tenant_equals_that_for_another_tenant() -> None:
    show = next(each for each in ENDPOINTS if each.operation == "tenants.show")
    own = await ask(show, "not-yet-made", Role.VIEWER, of="not-yet-made")
    assert await ask(show, "team-b", Role.VIEWER, of="not-yet-made") == own


async def test_response_for_another_tenants_route_equals_that_for_an_absent_own_route() -> None:
    resolve = next(each for each in ENDPOINTS if each.operation == "routes.resolve")
    access = AccessFixture(Service.DATA_PLANE)
    headers = bearer(access.admit(Role.RESOLVER))
    transport = httpx2.ASGITransport(app=app_of(Service.DATA_PLANE, access))  # type: ignore[arg-type]
    async with httpx2.AsyncClient(transport=transport, base_url="http://test", headers=headers) as http:
        own, again, theirs = [
            await http.get(f"/api/v1/resolve/{tenant}/payments/prod/v1", headers={"X-Correlation-ID": "req-1"})
            for tenant in ("team-a", "team-a", "team-b")
        ]
    assert own.status_code == theirs.status_code == 404
    assert again.headers == theirs.headers
    assert again.text == theirs.text.replace("team-b", "team-a")
    assert resolve.operation == "routes.resolve"


@pytest.mark.parametrize("endpoint", [each for each in ENDPOINTS if each.operation == "audit.query"], ids=str)
async def test_audit_query_for_another_tenant_returns_an_empty_page(endpoint: Endpoint) -> None:
    own, theirs = await ask(endpoint, "team-a", Role.VIEWER), await ask(endpoint, "team-b", Role.VIEWER)
    assert own == theirs
    assert own[0] == 200
    assert '"count":0' in own[2]


@pytest.mark.parametrize("path", ["/health/live", "/metrics", "/schema", "/schema/openapi.json"])
@pytest.mark.parametrize("service", Service)
async def test_health_metrics_and_schema_need_no_credential(service: Service, path: str) -> None:
    transport = httpx2.ASGITransport(app=app_of(service, AccessFixture(service)))  # type: ignore[arg-type]
    async with httpx2.AsyncClient(transport=transport, base_url="http://test") as http:
        assert (await http.get(path)).status_code == 200


@pytest.mark.parametrize("path", ["/api/v1/tenants", "/nowhere", "/health", "/metrics/x", "/schema.json", "/healthy"])
async def test_every_other_path_needs_a_credential(path: str) -> None:
    transport = httpx2.ASGITransport(app=app_of(Service.CONTROL_PLANE, AccessFixture()))  # type: ignore[arg-type]
    async with httpx2.AsyncClient(transport=transport, base_url="http://test") as http:
        assert (await http.get(path)).status_code == 401
