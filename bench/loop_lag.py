"""How long one request keeps the event loop from serving others.

Run on an idle machine: `.venv/bin/python -m bench.loop_lag`. Sends the largest legal and the worst illegal body of every
endpoint that takes one to the services' applications, on fakes, and prints the loop's worst lag meanwhile. Then, with a
local stack (`make up`), reads a tenant of 100,000 routes from its PostgreSQL. Exits with 1 when the loop was blocked for
more than MAX_LAG_SECONDS.
"""

import asyncio
import gc
import sys
import time
from collections.abc import Iterator

import msgspec
import structlog
from rich.console import Console
from rich.table import Table

from bench.change_writer import postgres_url
from bench.observed_lag import TICK_SECONDS, observed
from bench.whole_tenants import whole_tenant_cases
from deploy.local.settings import DEFAULT_STATE
from shared.runtime.access.tokens import AccessKey
from shared.runtime.http.problems import MAX_BODY_BYTES
from shared.runtime.service import Service
from shared.schemas.access import Role
from tests.support.access import AccessFixture, a_record
from tests.support.asgi import Application, Request, response_messages
from tests.support.service_apps import app_of

MAX_LAG_SECONDS = 0.05
_TENANT = "/api/v1/tenants/team-a"
_ROUTE = f"{_TENANT}/routes/payments/prod/v1"
_URL = "https://host.example/" + "x" * 2000


async def main() -> int:
    """Measure every case, print the tables. 1 if one is too slow."""
    is_good = await _bodies_of_requests()
    if (DEFAULT_STATE / "env").exists():
        is_good &= await _whole_tenants(postgres_url(DEFAULT_STATE))
    return 0 if is_good else 1


async def _bodies_of_requests() -> bool:
    table = Table("endpoint", "body", "bytes", "status", "answer bytes", "seconds", "worst lag ms")
    is_good = True
    for service, method, path, bodies in _cases():
        fixture, key = AccessFixture(service), AccessKey.new()
        fixture.keyring.put(a_record(key, role=Role.ADMIN))
        app: Application = app_of(service, fixture)
        headers = [(b"authorization", f"Bearer {key.text}".encode())]
        await response_messages(app, Request(_TENANT, "PUT", headers=headers))
        gc.collect()
        gc.freeze()  # as the services do once they are built
        for name, body in bodies.items():
            request = Request(path, method, headers=headers, body=body)
            started = time.perf_counter()
            async with asyncio.timeout(60):
                with observed() as worst:
                    start, *parts = await response_messages(app, request)
                    await asyncio.sleep(2 * TICK_SECONDS)
            took = time.perf_counter() - started
            size = sum(len(each["body"]) for each in parts)
            is_good &= worst.lag <= MAX_LAG_SECONDS
            figures = (len(body), start["status"], size, f"{took:.2f}", f"{1000 * worst.lag:.0f}")
            table.add_row(f"{method} {path}", name, *map(str, figures))
        gc.unfreeze()
    Console(width=160).print(table)
    return is_good


async def _whole_tenants(url: str) -> bool:
    table = Table("100,000 routes in PostgreSQL", "seconds", "worst lag ms")
    is_good = True
    async with whole_tenant_cases(url) as cases:
        for name, run in cases.items():
            for repeat in range(2):
                started = time.perf_counter()
                with observed() as worst:
                    await run()
                    await asyncio.sleep(2 * TICK_SECONDS)
                if repeat:  # the first one connects and prepares
                    is_good &= worst.lag <= MAX_LAG_SECONDS
                    table.add_row(name, f"{time.perf_counter() - started:.2f}", f"{1000 * worst.lag:.0f}")
    Console(width=160).print(table)
    return is_good


def _cases() -> Iterator[tuple[Service, str, str, dict[str, bytes]]]:
    control = Service.CONTROL_PLANE
    changes = [_route(number) | {"op": "put"} for number in range(500)]
    routes = [_route(number, "https://host.example/") for number in range(20_000)]
    yield control, "POST", f"{_TENANT}/changes", _bodies("changes", changes)
    yield control, "PUT", f"{_TENANT}/routes", _bodies("routes", routes)
    single = {"url": _URL, "reason": "r" * 500}
    yield control, "PUT", _ROUTE, _bodies("url", single)
    yield control, "POST", f"{_ROUTE}/activate", _bodies("reason", {"reason": "r" * 500})
    yield control, "POST", f"{_TENANT}/access-keys", _bodies("subject", {"subject": "s" * 100, "role": "editor"})
    for path in ("changes/1/revert", "revert-to/1"):
        yield control, "POST", f"{_TENANT}/{path}", _bodies("reason", {"reason": "r" * 500})
    keys = [f"team-a:payments-{number:06}-{'x' * 45}:prod:v1" for number in range(1000)]
    yield Service.DATA_PLANE, "POST", "/api/v1/resolve", _bodies("keys", keys)


def _route(number: int, url: str = _URL) -> dict[str, str]:
    return {"service": f"payments-{number:06}", "env": "prod", "version": "v1", "url": url}


def _bodies(field: str, legal: object) -> dict[str, bytes]:
    """Bodies by name: the largest legal one, and illegal ones of the maximum size."""
    opening = b'{"%b":[' % field.encode()
    return {
        "largest legal": msgspec.json.encode(legal if isinstance(legal, dict) else {field: legal}),
        "wrong objects": _filled(opening, b'{"a":1},', b"0]}"),
        "wrong objects, few": opening + b'{"a":1},' * 19_000 + b"0]}",
        "empty arrays": _filled(opening, b"[],", b"0]}"),
        "numbers": _filled(opening, b"0,", b"0]}"),
        "texts": _filled(opening, b'"",', b"0]}"),
        "text": _filled(b'{"%b":"' % field.encode(), b"\\u00e9", b'"}'),
        "unknown fields": b"{" + b",".join(b'"f%d":1' % number for number in range(300_000)) + b"}",
        "repeated field": _filled(b"{", b'"%b":1,' % field.encode(), b'"a":1}'),
        "nested": b"[" * MAX_BODY_BYTES,
    }


def _filled(opening: bytes, element: bytes, closing: bytes) -> bytes:
    return opening + element * ((MAX_BODY_BYTES - len(opening + closing)) // len(element)) + closing


if __name__ == "__main__":
    structlog.configure(logger_factory=structlog.ReturnLoggerFactory())
    sys.exit(asyncio.run(main()))
