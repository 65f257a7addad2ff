"""The methods of every path of every service: HEAD, OPTIONS, and those that a path does not have."""

import json
from collections.abc import Mapping
from typing import Any

import pytest
from litestar.routes import HTTPRoute

from shared.runtime.service import Service
from shared.schemas.access import Role
from tests.fakes.data_plane_world import KEY, World
from tests.support.access import AccessFixture, bearer
from tests.support.asgi import Application, Request, response_messages
from tests.support.resolver_client import app_of as resolver_of
from tests.support.service_apps import app_of, litestar_of, shared_app_of

METHODS = ("GET", "HEAD", "PUT", "POST", "DELETE", "PATCH", "OPTIONS")
VALUES = {"tenant": "team-a", "service": "payments", "env": "prod", "version": "v1", "revision": "1"} | {
    "correlation_id": "abc", "key_id": "x", "name": "none"
}  # fmt: skip
SAME_ID = {"X-Correlation-ID": "abc"}
Response = tuple[int, dict[str, str], bytes]


def methods_of(service: Service) -> Mapping[str, set[str]]:
    """The methods of each path, as its handlers have them."""
    routes = litestar_of(shared_app_of(service)[1]).routes
    return {each.path_format: set(map(str, each.methods)) for each in routes if isinstance(each, HTTPRoute)}


EVERY_PATH = [(service, path) for service in Service for path in methods_of(service)]
every_path = pytest.mark.parametrize(("service", "template"), EVERY_PATH, ids=lambda each: str(each).strip("/"))


async def respond(app: Application, method: str, path: str, **headers: str) -> Response:
    fields = [(name.lower().encode(), value.encode()) for name, value in headers.items()]
    start, *bodies = await response_messages(app, Request(path, method, headers=fields))
    sent = {name.decode(): value.decode() for name, value in start["headers"]}
    return start["status"], sent, b"".join(each["body"] for each in bodies)


def expected(methods: set[str]) -> str:
    return ", ".join(sorted(methods | ({"HEAD"} if "GET" in methods else set())))


@every_path
async def test_options_lists_the_methods_of_the_path_also_without_a_credential(service: Service, template: str) -> None:
    _, app = shared_app_of(service)
    for credential in ({}, {"Authorization": "Bearer none"}):
        status, headers, body = await respond(app, "OPTIONS", template.format_map(VALUES), **credential)
        assert (status, body) == (204, b"")
        assert headers["allow"] == expected(methods_of(service)[template])


@every_path
async def test_options_is_the_same_for_every_tenant(service: Service, template: str) -> None:
    fixture, app = shared_app_of(service)
    credential = bearer(fixture.admit(Role.VIEWER, "team-a"))
    own, other = [
        await respond(app, "OPTIONS", template.format_map({**VALUES, "tenant": tenant}), **credential, **SAME_ID)
        for tenant in ("team-a", "team-b")
    ]
    assert own == other


@every_path
async def test_other_methods_are_refused_with_a_problem_and_the_allowed_ones(service: Service, template: str) -> None:
    fixture, app = shared_app_of(service)
    allowed = expected(methods_of(service)[template])
    for method in (*METHODS, "TRACE", "BREW"):
        if method not in allowed.split(", "):
            status, headers, body = await respond(
                app, method, template.format_map(VALUES), **bearer(fixture.admit(Role.ADMIN))
            )
            assert (status, headers["allow"]) == (405, allowed)
            assert headers["content-type"] == "application/problem+json"
            if method != "HEAD":
                problem = json.loads(body)
                assert (problem["status"], problem["type"]) == (405, "urn:traffic-manager:problem:http-405")
                assert method in problem["detail"]


@pytest.mark.parametrize("service", Service)
@pytest.mark.parametrize("path", ["/none", "/api/v1/none", "/api/v2/tenants", "/schema/none", "/health", "/metrics/x"])
async def test_unknown_path_is_a_problem_for_every_method(service: Service, path: str) -> None:
    fixture, app = shared_app_of(service)
    for method in METHODS:
        status, headers, body = await respond(app, method, path, **bearer(fixture.admit(Role.ADMIN)))
        assert (status, headers["content-type"], "allow" in headers) == (404, "application/problem+json", False)
        assert method == "HEAD" or json.loads(body)["type"] == "urn:traffic-manager:problem:no-such-path"
        assert method != "HEAD" or (body == b"" and int(headers["content-length"]) > 0)


@pytest.mark.parametrize("service", Service)
async def test_options_of_the_whole_server_lists_the_methods_of_any_path(service: Service) -> None:
    status, headers, body = await respond(shared_app_of(service)[1], "OPTIONS", "*")
    assert (status, headers["allow"], body) == (204, expected(set().union(*methods_of(service).values())), b"")


async def control_plane_with_a_route() -> tuple[Application, dict[str, str]]:
    fixture = AccessFixture(Service.CONTROL_PLANE)
    app, admin = app_of(Service.CONTROL_PLANE, fixture), bearer(fixture.admit(Role.ADMIN))
    for path, body in (("", {}), ("/routes/payments/prod/v1", {"url": "https://a.example.com", "reason": "x"})):
        request = Request(f"/api/v1/tenants/team-a{path}", "PUT", headers=_json(admin), body=json.dumps(body).encode())
        assert (await response_messages(app, request))[0]["status"] == 201
    return app, admin


def _json(headers: Mapping[str, str]) -> list[tuple[bytes, bytes]]:
    fields = {**headers, "Content-Type": "application/json"}
    return [(name.lower().encode(), value.encode()) for name, value in fields.items()]


async def resolver_with_a_route() -> tuple[Application, dict[str, str]]:
    fixture, world = AccessFixture(Service.DATA_PLANE), World()
    instance = world.instance()
    await instance.core.applier.apply([world.database.commit(KEY, "https://v1")])
    return resolver_of(instance, fixture.access), bearer(fixture.admit(Role.ADMIN))


async def audit_consumer() -> tuple[Application, dict[str, str]]:
    fixture = AccessFixture(Service.AUDIT_CONSUMER)
    return app_of(Service.AUDIT_CONSUMER, fixture), bearer(fixture.admit(Role.ADMIN))


MAKE: Mapping[Service, Any] = {
    Service.CONTROL_PLANE: control_plane_with_a_route,
    Service.DATA_PLANE: resolver_with_a_route,
    Service.AUDIT_CONSUMER: audit_consumer,
}
QUERIES = {
    "/api/v1/tenants/{tenant}/diff": b"from=0&to=1",
    "/api/v1/audit/route": b"tenant=team-a&service=payments&env=prod&version=v1",
    "/api/v1/audit/recent": b"days=1",
    "/api/v1/audit/action": b"action=created&hours=1",
    "/api/v1/audit/time-range": b"start=2026-01-01T00:00:00Z&end=2026-01-02T00:00:00Z",
}
VARYING = {"/metrics", "/api/v1/watch/{tenant}"}
"""The content of the first differs with each request, and the second is a stream: tests/unit/data_plane has its test."""


@pytest.mark.parametrize("service", Service)
async def test_head_of_every_existing_resource_has_the_headers_of_get_and_no_body(service: Service) -> None:
    app, admin = await MAKE[service]()
    answered = []
    for template, methods in methods_of(service).items():
        if "GET" in methods and template not in VARYING:
            path, query = template.format_map(VALUES), QUERIES.get(template, b"")
            fields = _json({**admin, **SAME_ID})
            got, head = [
                await response_messages(app, Request(path, method, query=query, headers=fields))
                for method in ("GET", "HEAD")
            ]
            assert head[0]["status"] == got[0]["status"], template
            assert dict(head[0]["headers"]) == dict(got[0]["headers"]), template
            assert b"content-length" in dict(head[0]["headers"]), template
            assert b"".join(each["body"] for each in head[1:]) == b"", template
            answered.append((template, got[0]["status"]))
    # What has no values here: the readiness of a service that has not started, and assets by their hash.
    refused = {template for template, status in answered if status != 200}
    assert refused <= {
        "/health/ready",
        "/schema/assets/{name}",
        "/api/v1/tenants/{tenant}/changes/{revision}/propagation",
    }
