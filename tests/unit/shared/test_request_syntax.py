"""Requests whose head has no single meaning, and methods that every path has, in the application of each service."""

from collections.abc import MutableMapping, Sequence
from typing import Any

import msgspec
import pytest

from shared.runtime.access.tokens import AccessKey
from shared.runtime.http.request_syntax import is_valid_host
from shared.runtime.service import Service
from shared.schemas.access import Role
from tests.support.access import a_record
from tests.support.asgi import Request, response_messages
from tests.support.service_apps import Endpoint, endpoints, shared_app_of

GETS = [each for each in endpoints() if each.method == "GET"]
PROBES = [Endpoint(service, "GET", path, None) for service in Service for path in ("/health/live", "/metrics")]
_ADMIN = AccessKey.new()
PATH = {
    Service.CONTROL_PLANE: "/api/v1/tenants/team-a/routes",
    Service.DATA_PLANE: "/api/v1/resolve/team-a/payments/prod/v1",
    Service.AUDIT_CONSUMER: "/api/v1/audit/recent",
}
IN_EVERY_SERVICE = pytest.mark.parametrize("service", list(Service))


async def respond(
    service: Service,
    path: str,
    headers: Sequence[tuple[bytes, bytes]] = (),
    *,
    method: str = "GET",
    body: bytes = b"",
    query: bytes = b"",
) -> tuple[int, MutableMapping[bytes, bytes], bytes]:
    """Status, headers and body of the response to an admin's request."""
    access, app = shared_app_of(service)
    access.keyring.put(a_record(_ADMIN, role=Role.ADMIN))
    credential = (b"authorization", f"Bearer {_ADMIN.text}".encode())
    request = Request(path, method, query, [credential, *headers], body)
    start, *parts = await response_messages(app, request)
    return start["status"], dict(start["headers"]), b"".join(each["body"] for each in parts)


def problem(headers: MutableMapping[bytes, bytes], body: bytes) -> Any:
    assert headers[b"content-type"] == b"application/problem+json"
    return msgspec.json.decode(body)


@IN_EVERY_SERVICE
@pytest.mark.parametrize("host", [b"x:99999", b"x:1e3", b"a b", b"\xe4", b"user@x", b"[::1", b"a/b", b"x:"])
async def test_malformed_host_is_a_problem(service: Service, host: bytes) -> None:
    for path in (PATH[service], "/no-such-path", "/health/live"):
        status, headers, body = await respond(service, path, [(b"host", host)])
        if host == b"x:":  # an empty port is allowed
            assert status != 400
        else:
            assert (status, problem(headers, body)["errors"][0]["pointer"]) == (400, "/Host")


@pytest.mark.parametrize("host", [b"", b"a", b"a_b:80", b"[::1]:65535", b"127.0.0.1:8000", b"[fe80::1%25eth0]"])
def test_usual_host_is_valid(host: bytes) -> None:
    assert is_valid_host(host)


@IN_EVERY_SERVICE
@pytest.mark.parametrize("name", [b"x-min-revision", b"idempotency-key", b"last-event-id", b"host"])
async def test_repeated_single_field_is_refused(service: Service, name: bytes) -> None:
    status, headers, body = await respond(service, PATH[service], [(name, b"1"), (name, b"1")])
    assert status == 400
    (error,) = problem(headers, body)["errors"]
    assert error["pointer"].lower() == f"/{name.decode()}"
    assert "2 times" in error["detail"]


async def test_repeated_query_parameter_of_a_resolver_is_refused() -> None:
    path = PATH[Service.DATA_PLANE]
    status, headers, body = await respond(Service.DATA_PLANE, path, query=b"min_revision=9&min_revision=0")
    assert (status, problem(headers, body)["errors"][0]["pointer"]) == (400, "/min_revision")
    status, headers, body = await respond(Service.DATA_PLANE, "/api/v1/watch/team-a", query=b"since=9&since=0")
    assert (status, problem(headers, body)["errors"][0]["pointer"]) == (400, "/since")


async def test_every_line_of_if_match_counts() -> None:
    control, path = Service.CONTROL_PLANE, "/api/v1/tenants/lists/routes/payments/prod/v1"
    await respond(control, "/api/v1/tenants/lists", method="PUT")
    body = b'{"url":"https://one.example/"}'
    assert (await respond(control, path, method="PUT", body=body))[0] == 201
    two_lines = [(b"if-match", b'"7"'), (b"if-match", b'"1"')]
    assert (await respond(control, path, two_lines, method="PUT", body=body))[0] == 200
    no_match = [(b"if-match", b'"7"'), (b"if-match", b'"8"')]
    assert (await respond(control, path, no_match, method="PUT", body=body))[0] == 412
    nonsense = [(b"if-none-match", b"*"), (b"if-none-match", b'"1"')]
    assert (await respond(control, path, nonsense, method="PUT", body=body))[0] == 400


@IN_EVERY_SERVICE
@pytest.mark.parametrize("encoding", [b"gzip", b"br", b"identity, gzip", b"nonsense"])
async def test_compressed_body_is_refused_with_415(service: Service, encoding: bytes) -> None:
    for method in ("PUT", "POST"):
        status, headers, body = await respond(
            service, PATH[service], [(b"content-encoding", encoding)], method=method, body=b"x"
        )
        assert (status, headers[b"accept-encoding"]) == (415, b"identity")
        assert problem(headers, body)["type"].endswith("unsupported-content-encoding")


async def test_identity_is_an_accepted_encoding() -> None:
    status, _, _ = await respond(
        Service.CONTROL_PLANE, "/api/v1/tenants/team-a", [(b"content-encoding", b"Identity")], method="PUT"
    )
    assert status in (200, 201)


@pytest.mark.parametrize(
    ("service", "path", "status"),
    [
        (Service.DATA_PLANE, "/api/v1/resolve/team-a/payments%2Fprod/v1", 404),
        (Service.DATA_PLANE, "/api/v1/resolve/team-a/payments%2fprod/prod/v1", 400),
        (Service.DATA_PLANE, "/api/v1%2Fresolve/team-a/payments/prod/v1", 404),
        (Service.CONTROL_PLANE, "/api/v1/tenants/team-a%2Froutes", 400),
        (Service.CONTROL_PLANE, "/health%2Flive", 404),
        (Service.AUDIT_CONSUMER, "/api/v1/audit/correlation%2Fabc", 404),
    ],
)
async def test_encoded_slash_is_no_separator(service: Service, path: str, status: int) -> None:
    assert (await respond(service, path))[0] == status


@pytest.mark.parametrize("endpoint", [*GETS, *PROBES], ids=str)
async def test_head_is_answered_as_get_without_its_body(endpoint: Endpoint) -> None:
    values = {"tenant": "team-a", "service": "payments", "env": "prod", "version": "v1", "revision": "1"}
    path = endpoint.template.format_map({**values, "correlation_id": "abc", "key_id": "x"})
    if "watch" in path:
        path = path.replace("team-a", "No Tenant")  # the GET of a stream does not end
    got, got_headers, _ = await respond(endpoint.service, path)
    status, headers, body = await respond(endpoint.service, path, method="HEAD")
    volatile = {b"x-correlation-id", b"content-length"}  # the metrics differ, and the id of a problem
    assert (status, body) == (got, b"")
    assert {**headers, **dict.fromkeys(volatile)} == {**got_headers, **dict.fromkeys(volatile)}
    assert b"content-length" in headers


@IN_EVERY_SERVICE
async def test_head_is_listed_in_allow_and_counted_as_head(service: Service) -> None:
    _, headers, _ = await respond(service, PATH[service], method="OPTIONS")
    assert b"HEAD" in headers[b"allow"].split(b", ")
    status, headers, _ = await respond(service, PATH[service], method="PATCH")
    assert (status, b"HEAD" in headers[b"allow"].split(b", ")) == (405, True)
    await respond(service, "/health/live", method="HEAD")
    assert b'method="HEAD",route="/health/live"' in (await respond(service, "/metrics"))[2]


async def test_head_of_a_path_without_get_is_refused() -> None:
    status, headers, _ = await respond(Service.DATA_PLANE, "/api/v1/resolve", method="HEAD")
    assert (status, headers[b"allow"]) == (405, b"OPTIONS, POST")
