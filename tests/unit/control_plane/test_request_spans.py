"""The span of a request, by its caller's trace and its response."""

import httpx2
import pytest
from opentelemetry.trace import SpanKind, StatusCode

from control_plane.adapters.postgres.query_spans import operation_of
from shared.runtime.resilience import DependencyUnavailable
from tests.fakes.control_plane_registry import FakeRegistry
from tests.support.recorded_spans import NOT_SAMPLED, SAMPLED, TRACE_ID, RecordedSpans, trace_id_of
from tests.support.recorded_spans import spans as spans


@pytest.mark.usefixtures("team_a")
async def test_event_of_a_sampled_request_names_the_span_that_created_it(
    client: httpx2.AsyncClient, registry: FakeRegistry, spans: RecordedSpans
) -> None:
    url = "/tenants/team-a/routes/payments/prod/v1"
    await client.put(url, json={"url": "https://one.example/"}, headers={"traceparent": SAMPLED})
    create = spans.one("create route-events")
    request = spans.one("PUT /api/v1/tenants/{tenant}/routes/{service}/{env}/{version}")
    assert (request.kind, trace_id_of(request)) == (SpanKind.SERVER, TRACE_ID)
    assert request.parent is not None
    assert create.context is not None
    assert f"{request.parent.span_id:016x}" == "b7ad6b7169203331"
    assert create.parent == request.context
    assert registry.committed[-1].headers["traceparent"] == f"00-{TRACE_ID}-{create.context.span_id:016x}-01"


@pytest.mark.usefixtures("team_a")
async def test_event_of_a_request_that_is_not_sampled_stays_so(
    client: httpx2.AsyncClient, registry: FakeRegistry, spans: RecordedSpans
) -> None:
    url = "/tenants/team-a/routes/payments/prod/v1"
    await client.put(url, json={"url": "https://one.example/"}, headers={"traceparent": NOT_SAMPLED})
    assert registry.committed[-1].headers["traceparent"].startswith(f"00-{TRACE_ID}-")
    assert registry.committed[-1].headers["traceparent"].endswith("-00")
    assert spans.all() == ()


@pytest.mark.parametrize("path", ["/health/live", "/health/ready", "/metrics"])
async def test_probe_has_no_span(client: httpx2.AsyncClient, spans: RecordedSpans, path: str) -> None:
    await client.get(f"http://test{path}", headers={"traceparent": SAMPLED})
    assert spans.all() == ()


@pytest.mark.parametrize(
    ("failure", "status"),
    [(DependencyUnavailable("postgres", "password=hunter2 refused"), 503), (RuntimeError("password=hunter2"), 500)],
)
async def test_server_error_fails_the_span_without_the_error_s_text(
    client: httpx2.AsyncClient, registry: FakeRegistry, spans: RecordedSpans, failure: Exception, status: int
) -> None:
    registry.failure = failure
    await client.get("/tenants/team-a", headers={"traceparent": SAMPLED})
    span = spans.one("GET /api/v1/tenants/{tenant}")
    assert span.status.status_code is StatusCode.ERROR
    assert span.attributes is not None
    assert (span.attributes["error.type"], span.attributes["http.response.status_code"]) == (str(status), status)
    assert "hunter2" not in span.to_json()
    assert span.events == ()


async def test_client_error_does_not_fail_the_span(client: httpx2.AsyncClient, spans: RecordedSpans) -> None:
    await client.get("/tenants/no-such", headers={"traceparent": SAMPLED})
    assert spans.one("GET /api/v1/tenants/{tenant}").status.status_code is StatusCode.UNSET


async def test_unknown_paths_and_methods_share_names(client: httpx2.AsyncClient, spans: RecordedSpans) -> None:
    headers = {"traceparent": SAMPLED, "baggage": "secret=1", "tracestate": "a=" + "x" * 600}
    await client.request("BREW", "/tenants/team-a", headers=headers)
    await client.get("/no-such-path/secret", headers=headers)
    found = spans.all()
    assert [each.name for each in found] == ["HTTP", "GET"]
    assert not any("secret" in each.to_json() or "xxx" in each.to_json() for each in found)


@pytest.mark.parametrize(
    ("statement", "operation", "table"),
    [
        ("BEGIN; SET LOCAL tm.tenant = 'team-a'", "BEGIN", None),
        ("COMMIT", "COMMIT", None),
        ("SELECT id FROM tenants WHERE name = $1 FOR UPDATE", "SELECT", "tenants"),
        ("\nINSERT INTO outbox (topic, key) VALUES ($1, now())", "INSERT", "outbox"),
        ("UPDATE access_keys SET version = version + 1", "UPDATE", "access_keys"),
        ("WITH a AS (INSERT INTO b (x) VALUES (1)) DELETE FROM c USING a", "DELETE", "c"),
        ("WITH later AS (SELECT x FROM changes) SELECT x FROM later", "SELECT", "changes"),
        ("SELECT x FROM unnest($1::text[]) AS y JOIN services ON true", "SELECT", "services"),
        ("SELECT pg_notify('outbox', '')", "SELECT", None),
        ("LISTEN outbox", "OTHER", None),
    ],
)
def test_query_is_named_by_its_operation_and_table(statement: str, operation: str, table: str | None) -> None:
    assert operation_of(statement) == (operation, table)
