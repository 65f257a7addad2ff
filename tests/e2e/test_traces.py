"""Traces of the running product, as a collector receives them."""

import json
import secrets

from shared.runtime.version import VERSION
from shared.schemas.identity import RouteKey
from tests.support.otlp_receiver import ReceivedSpan
from tests.support.system import System
from tests.support.waiting import eventually

SHOWN_SECONDS = 5.0
ROUTE = "/api/v1/tenants/{tenant}/routes/{service}/{env}/{version}"
ATTRIBUTES = {
    "db.collection.name",
    "db.namespace",
    "db.operation.name",
    "db.query.summary",
    "db.system.name",
    "error.type",
    "http.request.method",
    "http.response.status_code",
    "http.route",
    "messaging.batch.message_count",
    "messaging.consumer.group.name",
    "messaging.destination.name",
    "messaging.destination.partition.id",
    "messaging.kafka.offset",
    "messaging.operation.name",
    "messaging.operation.type",
    "messaging.system",
    "tm.cache.layer",
    "tm.correlation_id",
    "url.scheme",
}
"""All attributes of spans and links; none is deprecated in the semantic conventions 1.40."""


class Trace:
    """The trace of a caller. `headers` are those with which it sends a request."""

    def __init__(self, *, sampled: bool = True) -> None:
        self.id, self.caller = secrets.token_hex(16), secrets.token_hex(8)
        self.headers = {"traceparent": f"00-{self.id}-{self.caller}-0{sampled:d}"}


async def test_change_is_one_trace_from_its_request_to_every_consumer(system: System) -> None:
    key, trace = await system.new_key(), Trace()
    await system.put(key, "https://private.example/v1", **trace.headers)

    async def is_complete() -> bool:
        linked = {(each.name, each.instance) for each in system.receiver.linked_to(trace.id)}
        own = {each.name for each in system.receiver.of_trace(trace.id)}
        assert f"PUT {ROUTE}" in own
        assert linked == {
            ("send route-events", "control-plane"),
            ("process route-events", "data-plane-1"),
            ("process route-events", "data-plane-2"),
            ("process route-events", "audit-consumer"),
        }
        return True

    await eventually(is_complete, within=SHOWN_SECONDS)
    server = one(system, trace, f"PUT {ROUTE}")
    assert (server.kind, server.parent_id, server.service) == ("SERVER", trace.caller, "control_plane")
    assert server.attributes["http.response.status_code"] == 201
    create = one(system, trace, "create route-events")
    assert (create.kind, create.parent_id) == ("PRODUCER", server.span_id)
    check_queries(system, trace, server, create)
    check_batches(system, trace, create)


def check_queries(system: System, trace: Trace, server: ReceivedSpan, create: ReceivedSpan) -> None:
    """The queries of the request are children of its span, and the one that writes the event of the event's."""
    queries = [each for each in system.receiver.of_trace(trace.id) if each.kind == "CLIENT"]
    assert {each.name: each.parent_id for each in queries} == {
        "BEGIN": server.span_id,
        "SELECT tenants": server.span_id,
        "SELECT services": server.span_id,
        "INSERT changes": create.span_id,
        "COMMIT": server.span_id,
    }
    assert {each.attributes["db.system.name"] for each in queries} == {"postgresql"}
    assert all(each.attributes["db.query.summary"] == each.name for each in queries)


def check_batches(system: System, trace: Trace, create: ReceivedSpan) -> None:
    """The spans of batches link to the span that created the event, and name the service and the record."""
    linked = system.receiver.linked_to(trace.id)
    assert all(each.links_to(create) and not each.parent_id for each in linked)
    kinds = {each.name: each.kind for each in linked}
    assert kinds == {"send route-events": "CLIENT", "process route-events": "CONSUMER"}
    for each in linked:
        assert each.resource["service.version"] == VERSION
        is_audit = each.service == "audit_consumer"
        assert ("messaging.consumer.group.name" in each.attributes) == is_audit
        assert each.attributes["messaging.destination.name"] == "route-events"
        assert int(each.attributes["messaging.batch.message_count"]) >= 1
        if each.kind == "CONSUMER":
            assert {"messaging.kafka.offset", "messaging.destination.partition.id"} <= each.links[0].attributes.keys()


async def test_resolves_name_the_layer_that_answered(system: System) -> None:
    key = await system.new_key()
    await system.put(key, "https://one.example/")
    await system.until_resolved(key, "https://one.example/")
    unknown, hit = Trace(), Trace()
    await resolve(system, RouteKey(key.tenant, key.service, key.env, "v404"), unknown)
    await resolve(system, key, hit)
    name = "GET /api/v1/resolve/{tenant}/{service}/{env}/{version}"
    span = await eventually(lambda: shown(system, unknown, name))
    assert (span.attributes["tm.cache.layer"], span.attributes["http.response.status_code"]) == ("replica", 404)
    span = await eventually(lambda: shown(system, hit, name))
    assert (span.attributes["tm.cache.layer"], span.attributes["http.response.status_code"]) == ("l1", 200)
    assert (span.kind, span.parent_id, span.has_failed) == ("SERVER", hit.caller, False)


async def test_watch_that_its_client_ends_is_a_span_that_has_not_failed(system: System) -> None:
    key, trace = await system.new_key(), Trace()
    await system.put(key, "https://one.example/")
    await system.until_resolved(key, "https://one.example/")
    url = f"{system.resolver_urls[0]}/api/v1/watch/{key.tenant}"
    async with system.http.stream("GET", url, headers=trace.headers) as watch:
        assert watch.status_code == 200
        await anext(watch.aiter_lines())
    span = await eventually(lambda: shown(system, trace, "GET /api/v1/watch/{tenant}"))
    assert (span.has_failed, span.attributes.get("error.type")) == (False, None)


async def test_audit_query_has_a_span_of_its_database_call(system: System) -> None:
    trace = Trace()
    url = f"{system.audit_url}/api/v1/audit/recent"
    assert (await system.http.get(url, headers=trace.headers)).status_code == 200
    call = await eventually(lambda: shown(system, trace, "find events"))
    assert (call.kind, call.attributes["db.system.name"]) == ("CLIENT", "mongodb")
    assert call.parent_id == one(system, trace, "GET /api/v1/audit/recent").span_id


async def test_probes_and_traces_that_the_caller_does_not_sample_have_no_spans(system: System) -> None:
    key, quiet, probes, barrier = await system.new_key(), Trace(sampled=False), Trace(), Trace()
    await system.put(key, "https://one.example/", **quiet.headers)
    for url in (system.control_url, *system.resolver_urls, system.audit_url):
        for path in ("/health/live", "/health/ready", "/metrics"):
            await system.http.get(url + path, headers=probes.headers)
    await system.put(key, "https://two.example/", **barrier.headers)
    await eventually(lambda: shown(system, barrier, f"PUT {ROUTE}"))
    assert not system.receiver.of_trace(probes.id)
    assert not system.receiver.of_trace(quiet.id)
    assert not system.receiver.linked_to(quiet.id)


async def test_log_lines_of_a_sampled_request_have_the_ids_of_its_span(system: System) -> None:
    key, trace = await system.new_key(), Trace()
    await system.put(key, "https://one.example/", **trace.headers, **{"X-Correlation-ID": trace.id})
    server = await eventually(lambda: shown(system, trace, f"PUT {ROUTE}"))
    assert server.attributes["tm.correlation_id"] == trace.id
    lines = [json.loads(line) for line in system.log_of(system.services.control_plane).splitlines() if trace.id in line]
    (committed,) = [each for each in lines if each["event"] == "changes committed"]
    assert (committed["trace_id"], committed["span_id"]) == (trace.id, server.span_id)


async def test_spans_hold_no_url_of_a_route_and_no_credential_and_only_current_attributes(system: System) -> None:
    key, trace = await system.new_key(), Trace()
    secret = secrets.token_hex(16)
    await system.put(key, f"https://{secret}.example/", **trace.headers)
    refused = {**trace.headers, "Authorization": f"Bearer tm_{secret}"}
    await system.http.get(f"{system.control_url}/api/v1/tenants/{secret}", headers=refused, params={"token": secret})
    await eventually(lambda: shown(system, trace, f"PUT {ROUTE}"))
    await eventually(lambda: shown(system, trace, "GET"))
    sent = b"".join(system.receiver.payloads)
    for hidden in (secret, system.services.admin_key.text().rsplit("_", 1)[1]):
        assert hidden.encode() not in sent
    names = {name for each in system.receiver.spans for name in each.attributes}
    names |= {name for each in system.receiver.spans for link in each.links for name in link.attributes}
    assert names <= ATTRIBUTES


async def resolve(system: System, key: RouteKey, trace: Trace) -> None:
    """One resolve request in this trace, to the first resolver."""
    path = f"/api/v1/resolve/{key.tenant}/{key.service}/{key.env}/{key.version}"
    await system.http.get(system.resolver_urls[0] + path, headers=trace.headers)


async def shown(system: System, trace: Trace, name: str) -> ReceivedSpan | None:
    """The span of this name in the trace, once the receiver has it."""
    return next((each for each in system.receiver.of_trace(trace.id) if each.name == name), None)


def one(system: System, trace: Trace, name: str) -> ReceivedSpan:
    """The only span of this name in the trace."""
    (found,) = [each for each in system.receiver.of_trace(trace.id) if each.name == name]
    return found
