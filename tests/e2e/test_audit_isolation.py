"""A tenant's credential reads its own audit events only, on real servers with another tenant's events."""

from datetime import UTC, datetime, timedelta
from typing import Any

import httpx2
import pytest

from shared.schemas.access import Role
from tests.support.system import System

ENDPOINTS = ("route", "recent", "action", "time-range", "correlation")


async def a_page(system: System, credential: str, endpoint: str, **changed: str | None) -> dict[str, Any]:
    """A page of the endpoint for this credential. A parameter that is None is not sent."""
    now = datetime.now(UTC)
    of_endpoint: dict[str, dict[str, str]] = {
        "route": {"service": "payments", "env": "prod", "version": "v1"},
        "action": {"action": "created"},
        "time-range": {"start": f"{now - timedelta(hours=1):%FT%TZ}", "end": f"{now + timedelta(hours=1):%FT%TZ}"},
    }
    parameters = {**of_endpoint.get(endpoint, {}), **changed}
    path = f"correlation/{parameters.pop('correlation_id', None) or 'req-1'}" if endpoint == "correlation" else endpoint
    parameters.pop("correlation_id", None)
    sent = {name: value for name, value in parameters.items() if value is not None}
    # A client of its own: that of the system sends the admin's credential.
    async with httpx2.AsyncClient(
        trust_env=False, timeout=10, headers={"Authorization": f"Bearer {credential}"}
    ) as http:
        answer = await http.get(f"{system.audit_url}/api/v1/audit/{path}", params=sent)
    assert answer.status_code == 200, answer.text
    page: dict[str, Any] = answer.json()
    return page


@pytest.mark.parametrize("endpoint", ENDPOINTS)
async def test_tenant_reads_its_own_audit_events_only(system: System, endpoint: str) -> None:
    own, foreign = await system.new_key(), await system.new_key()
    correlation_id = f"shared-{own.tenant}"
    for key in (own, foreign):
        await system.put(key, "http://v1", **{"X-Correlation-ID": correlation_id})
        await system.until_audited(key, 1)
    viewer = await system.access_key(own.tenant, Role.VIEWER)
    seen_by_owner = await a_page(
        system,
        await system.access_key(foreign.tenant, Role.VIEWER),
        endpoint,
        tenant=foreign.tenant,
        correlation_id=correlation_id,
    )
    assert seen_by_owner["count"] == 1, "the other tenant's event is in the trail"
    empty = {"count": 0, "events": [], "next_cursor": None}
    assert await a_page(system, viewer, endpoint, tenant=foreign.tenant, correlation_id=correlation_id) == empty
    without_tenant = own.tenant if endpoint == "route" else None
    page = await a_page(system, viewer, endpoint, tenant=without_tenant, correlation_id=correlation_id)
    assert [each["route"]["tenant"] for each in page["events"]] == [own.tenant]
