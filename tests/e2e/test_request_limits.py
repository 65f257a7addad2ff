"""The request limits, on the real HTTP server."""

import asyncio
import secrets
from collections.abc import AsyncIterator

import httpx2
import pytest

from shared.runtime.http.problems import MAX_BODY_BYTES
from tests.support.system import System
from tests.support.waiting import eventually

SERVICES = ["control_plane", "data_plane", "audit_consumer"]


def _url_of(system: System, service: str) -> str:
    urls = {
        "control_plane": f"{system.control_url}/api/v1/tenants",
        "data_plane": f"{system.resolver_urls[0]}/api/v1/resolve/a/b/c/d",
        "audit_consumer": f"{system.services.audit_consumer.urls[0]}/api/v1/audit/recent",
    }
    return urls[service]


def _problem(answer: httpx2.Response) -> tuple[int, str]:
    assert answer.headers["content-type"] == "application/problem+json"
    return answer.status_code, answer.json()["type"].rsplit(":", 1)[1]


@pytest.mark.parametrize("service", SERVICES)
async def test_request_with_too_many_header_fields_is_a_431(system: System, service: str) -> None:
    fields = {f"X-Field-{number}": "a" for number in range(80)}
    answer = await system.http.get(_url_of(system, service), headers=fields)
    assert _problem(answer) == (431, "headers-too-large")
    answer = await system.http.get(_url_of(system, service), headers={"X-Long": "a" * 20_000})
    assert _problem(answer) == (431, "headers-too-large")


@pytest.mark.parametrize("has_length", [True, False], ids=["with its length", "chunked"])
async def test_too_large_body_is_a_413_and_later_requests_succeed(system: System, has_length: bool) -> None:
    key = await system.new_key()
    body = b'{"url": "http://a/", "reason": "' + b"x" * MAX_BODY_BYTES + b'"}'

    async def chunks() -> AsyncIterator[bytes]:
        for start in range(0, len(body), 65_536):
            yield body[start : start + 65_536]

    answer = await system.http.put(system.control_path(key), content=body if has_length else chunks())
    assert _problem(answer) == (413, "body-too-large")
    await system.put(key, "http://small/")


async def test_endless_body_is_a_503_at_the_deadline(system: System) -> None:
    key = await system.new_key()
    host, port = system.control_url.removeprefix("http://").split(":")
    reader, writer = await asyncio.open_connection(host, int(port))
    path = system.control_path(key).removeprefix(system.control_url)
    credential = f"Authorization: Bearer {system.services.admin_key.text()}"
    writer.write(f"PUT {path} HTTP/1.1\r\nHost: a\r\n{credential}\r\nContent-Length: 1000\r\n\r\n{{".encode())
    try:
        async with asyncio.timeout(10):
            assert b" 503 " in await reader.readline()
    finally:
        writer.close()


async def test_health_and_metrics_respond_while_other_requests_are_shed(system: System) -> None:
    """The only concurrency slot is held by a request that waits for a frozen database."""
    key = await system.new_key()
    small = system.services.add_instance(
        "control_plane", f"control-plane-small-{secrets.token_hex(3)}", {"TM_MAX_CONCURRENT_REQUESTS": "1"}
    )
    await small.start()
    path = system.control_path(key).removeprefix(system.control_url)
    url = small.urls[0]
    try:
        assert (await system.http.get(f"{url}/api/v1/tenants")).status_code == 200
        await system.stack.postgres.freeze()
        try:
            async with asyncio.TaskGroup() as tasks:
                held = tasks.create_task(system.http.put(f"{url}{path}", json={"url": "http://held/"}))

                async def in_flight() -> bool:
                    # The second one is the scrape itself.
                    return "tm_http_requests_in_flight 2.0" in (await system.http.get(f"{url}/metrics")).text

                await eventually(in_flight, within=5)
                shed = await system.http.get(f"{url}/api/v1/tenants")
                assert (*_problem(shed), shed.headers["retry-after"]) == (503, "overloaded", "1")
                assert (await system.http.get(f"{url}/health/live")).status_code == 200
                metrics = await system.http.get(f"{url}/metrics")
                assert 'tm_http_requests_shed_total{reason="overloaded"} 1.0' in metrics.text
            assert held.result().status_code == 503
        finally:
            await system.stack.postgres.thaw()

        async def served() -> bool:
            return (await system.http.get(f"{url}/api/v1/tenants")).status_code == 200

        await eventually(served, within=20)
    finally:
        await small.stop()
