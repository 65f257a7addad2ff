"""Odd requests as the HTTP server passes them on: none is answered with a 500 or with anything but a problem."""

import asyncio

import pytest

from shared.schemas.access import Role
from tests.support.system import System

SERVICES = ("control_plane", "data_plane", "audit_consumer")
PATHS = {
    "control_plane": "/api/v1/tenants",
    "data_plane": "/api/v1/resolve/team-a/payments/prod/v1",
    "audit_consumer": "/api/v1/audit/recent",
}


async def exchange(
    system: System, service: str, head: str, *lines: bytes, body: bytes = b""
) -> tuple[int, bytes, bytes]:
    """Status, head and body of the response to a request with these header lines."""
    urls = (system.control_url, system.resolver_urls[0], system.services.audit_consumer.urls[0])
    host, port = dict(zip(SERVICES, urls, strict=True))[service].removeprefix("http://").split(":")
    reader, writer = await asyncio.open_connection(host, int(port))
    credential = f"Authorization: Bearer {system.services.admin_key.text()}".encode()
    if not any(line.lower().startswith(b"host:") for line in lines):
        lines = (b"Host: a", *lines)
    fields = [credential, b"Connection: close", b"Content-Length: %d" % len(body), *lines]
    writer.write(head.encode("latin-1") + b" HTTP/1.1\r\n" + b"\r\n".join(fields) + b"\r\n\r\n" + body)
    async with asyncio.timeout(10):
        response = await reader.read()
    writer.close()
    top, _, content = response.partition(b"\r\n\r\n")
    return int(top.split(b" ")[1]), top.lower(), content


@pytest.mark.parametrize("service", SERVICES)
@pytest.mark.parametrize("path", ["/health/live", "/health/ready", "/metrics", ""])
async def test_head_has_the_header_of_get_and_no_body(system: System, service: str, path: str) -> None:
    path = path or PATHS[service]
    got, _, body = await exchange(system, service, f"GET {path}")
    status, head, nothing = await exchange(system, service, f"HEAD {path}")
    assert (status, nothing, bool(body)) == (got, b"", True)
    assert b"content-length: " in head


async def test_head_of_a_watch_ends(system: System) -> None:
    tenant = await system.new_tenant()
    await system.access_key(tenant, Role.RESOLVER)
    for _ in range(3):
        status, head, body = await exchange(system, "data_plane", f"HEAD /api/v1/watch/{tenant}")
        assert (status, body) == (200, b"")
        assert b"text/event-stream" in head


@pytest.mark.parametrize("service", SERVICES)
@pytest.mark.parametrize(
    "lines",
    [
        [b"Host: x:99999"],
        [b"Host: user@x"],
        [b"Host: [::1"],
        [b"Host: a", b"Host: a"],
        [b"Idempotency-Key: 1", b"Idempotency-Key: 1"],
        [b"X-Min-Revision: 1", b"X-Min-Revision: 0"],
    ],
)
async def test_ambiguous_head_is_a_problem(system: System, service: str, lines: list[bytes]) -> None:
    status, head, _ = await exchange(system, service, f"GET {PATHS[service]}", *lines)
    assert status == 400
    assert b"content-type: application/problem+json" in head or lines == [b"Host: a", b"Host: a"]


@pytest.mark.parametrize("service", SERVICES)
@pytest.mark.parametrize(
    "suffix", ["%2F", "/%2F/%2f", "/%ff", "/%00", "/%", "?a=%ff", "?a=\xff", "?a=%00&a=%00", "/\xff", "//"]
)
async def test_odd_target_is_no_error_of_the_service(system: System, service: str, suffix: str) -> None:
    for method in ("GET", "HEAD", "PUT", "OPTIONS"):
        status, _, _ = await exchange(system, service, f"{method} {PATHS[service]}{suffix}")
        assert status < 500


async def test_compressed_body_is_a_415(system: System) -> None:
    for service in SERVICES:
        status, head, _ = await exchange(
            system, service, f"POST {PATHS[service]}", b"Content-Encoding: gzip", body=b"\x1f\x8b" * 50_000
        )
        assert status == 415
        assert b"accept-encoding: identity" in head
