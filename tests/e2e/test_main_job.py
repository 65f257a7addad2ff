"""The main use case: a written route is resolved by every resolver and audited."""

import httpx2
import pytest

from tests.support.system import System
from tests.support.waiting import eventually


async def test_written_route_is_resolved_by_every_instance_and_audited(system: System) -> None:
    key = await system.new_key()
    await system.put(key, "http://payments-v1:50051", **{"X-Actor": "another-name"})
    await system.until_resolved(key, "http://payments-v1:50051")
    [event] = await system.until_audited(key, 1)
    assert (event["action"], event["changed_by"], event["url"]) == (
        "created",
        "local-admin",
        "http://payments-v1:50051",
    )
    assert (event["previous_url"], event["previous_state"]) == (None, None)


async def test_updated_url_is_resolved_everywhere_and_the_audit_event_has_the_previous_one(system: System) -> None:
    key = await system.new_key()
    await system.put(key, "http://v1")
    await system.until_resolved(key, "http://v1")
    await system.put(key, "http://v2")
    await system.until_resolved(key, "http://v2")
    newest, _ = await system.until_audited(key, 2)
    assert (newest["action"], newest["url"], newest["previous_url"]) == ("updated", "http://v2", "http://v1")


async def test_deactivated_route_is_not_resolved_until_it_is_activated(system: System) -> None:
    key = await system.new_key()
    await system.put(key, "http://v1")
    await system.until_resolved(key, "http://v1")
    (await system.http.post(f"{system.control_path(key)}/deactivate")).raise_for_status()
    await system.until_resolved(key, None)
    (await system.http.post(f"{system.control_path(key)}/activate")).raise_for_status()
    await system.until_resolved(key, "http://v1")
    actions = [event["action"] for event in await system.until_audited(key, 3)]
    assert actions == ["activated", "deactivated", "created"]


async def test_repeated_write_is_committed_and_audited_once(system: System) -> None:
    key = await system.new_key()
    first = await system.put(key, "http://v1")
    again = await system.put(key, "http://v1")
    other = await system.put(key, "http://v2")
    assert (first.status_code, again.status_code) == (201, 200)
    assert first.json() == again.json()
    assert other.json()["revision"] == first.json()["revision"] + 1
    assert len(await system.until_audited(key, 2)) == 2


async def test_correlation_id_of_a_request_is_in_the_audit_trail_and_every_log(system: System) -> None:
    key = await system.new_key()
    await system.put(key, "http://v1", **{"X-Correlation-ID": f"trace-{key.tenant}"})
    [event] = await system.until_audited(key, 1)
    assert event["correlation_id"] == f"trace-{key.tenant}"
    audit = system.services.audit_consumer.urls[0]
    found = (await system.http.get(f"{audit}/api/v1/audit/correlation/trace-{key.tenant}")).json()
    assert [each["event_id"] for each in found["events"]] == [event["event_id"]]

    async def logged() -> bool:
        processes = (system.services.control_plane, *system.services.data_planes, system.services.audit_consumer)
        return all(f"trace-{key.tenant}" in system.log_of(each) for each in processes)

    await eventually(logged)


async def test_write_for_an_unknown_tenant_is_a_404_that_says_how_to_create_it(system: System) -> None:
    answer = await system.http.put(
        f"{system.control_url}/api/v1/tenants/nobody-knows-me/routes/a/b/c", json={"url": "http://a"}
    )
    assert answer.status_code == 404
    assert "PUT /api/v1/tenants/nobody-knows-me" in answer.json()["detail"]


@pytest.mark.parametrize("service", ["control_plane", "data_plane", "audit_consumer"])
async def test_every_service_serves_openapi_health_and_metrics(system: System, service: str) -> None:
    urls = {
        "control_plane": system.control_url,
        "data_plane": system.resolver_urls[0],
        "audit_consumer": system.services.audit_consumer.urls[0],
    }
    await _describes_itself(system.http, urls[service])


async def _describes_itself(http: httpx2.AsyncClient, url: str) -> None:
    document = (await http.get(f"{url}/schema/openapi.json")).json()
    assert document["paths"]
    assert (await http.get(f"{url}/schema")).status_code == 200
    assert (await http.get(f"{url}/health/live")).json() == {"status": "alive"}
    assert (await http.get(f"{url}/health/ready")).json()["status"] == "ready"
    metrics = (await http.get(f"{url}/metrics")).text
    assert "tm_ready 1.0" in metrics
    problem = await http.get(f"{url}/nowhere")
    assert (problem.status_code, problem.headers["content-type"]) == (404, "application/problem+json")
