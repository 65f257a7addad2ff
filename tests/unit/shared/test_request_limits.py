"""Limits of one request: time, concurrency, header fields and body."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

import httpx2
import pytest
from litestar import get, post
from litestar.params import FromPath, RawBody
from litestar.response import Stream

from shared.runtime.access.open_access import OpenAccess
from shared.runtime.health import Health
from shared.runtime.http.application import build_application
from shared.runtime.http.problems import MAX_BODY_BYTES
from shared.runtime.http.request_limits import RequestLimits, release_slot
from shared.runtime.metrics import Metrics
from shared.runtime.service import Service
from tests.support.waiting import eventually

Client = httpx2.AsyncClient
OPEN = {"operation": "tenants.list"}
"""An operation that the test's caller may perform."""


class WaitingService:
    """Handlers that wait until `released` is set."""

    def __init__(self) -> None:
        self.waiting = 0
        self.cancelled = 0
        self.released = asyncio.Event()

    async def wait(self) -> None:
        self.waiting += 1
        try:
            await self.released.wait()
        except asyncio.CancelledError:
            self.cancelled += 1
            raise
        finally:
            self.waiting -= 1


@pytest.fixture
def service() -> WaitingService:
    return WaitingService()


@asynccontextmanager
async def limited_client(service: WaitingService, limits: RequestLimits) -> AsyncIterator[Client]:
    @get("/waits", opt=OPEN)
    async def waits() -> str:
        await service.wait()
        return "done"

    @get("/long-poll/{seconds:float}", opt=OPEN)
    async def long_poll(seconds: FromPath[float]) -> str:
        release_slot(seconds)
        await service.wait()
        return "done"

    @get("/streams", opt=OPEN)
    async def streams() -> Stream:
        async def parts() -> AsyncIterator[bytes]:
            yield b"first"
            await service.wait()
            yield b"last"

        return Stream(parts)

    @post("/takes", opt=OPEN)
    async def takes(body: RawBody) -> int:
        return len(body)

    app = build_application(
        title="Test",
        description="A service whose handlers wait.",
        handlers=[waits, long_poll, streams, takes],
        problem_types={},
        health=Health({}, started=True),
        metrics=Metrics(Service.CONTROL_PLANE),
        authenticator=OpenAccess(),
        limits=limits,
    )
    transport = httpx2.ASGITransport(app=app, raise_app_exceptions=False)  # type: ignore[arg-type]
    async with httpx2.AsyncClient(transport=transport, base_url="http://test") as client:
        yield client


def _slug(response: httpx2.Response) -> str:
    assert response.headers["content-type"] == "application/problem+json"
    assert response.json()["correlation_id"] == response.headers["x-correlation-id"]
    return str(response.json()["type"].rsplit(":", 1)[1])


async def _until(condition: Callable[[], bool]) -> None:
    async def holds() -> bool:
        return condition()

    await eventually(holds, within=5, every=0.001)


async def _shed(client: Client, reason: str) -> float:
    text = (await client.get("/metrics")).text
    return float(text.split(f'tm_http_requests_shed_total{{reason="{reason}"}} ')[1].split("\n")[0])


async def test_request_beyond_its_deadline_ends_with_503(service: WaitingService) -> None:
    async with limited_client(service, RequestLimits(deadline_seconds=0.05)) as client:
        response = await client.get("/waits")
        assert (response.status_code, response.headers["retry-after"]) == (503, "1")
        assert _slug(response) == "deadline-exceeded"
        assert (service.waiting, service.cancelled) == (0, 1)
        assert await _shed(client, "deadline") == 1
        assert 'code="503",method="GET",route="/waits"' in (await client.get("/metrics")).text


async def test_released_request_has_the_deadline_that_it_names(service: WaitingService) -> None:
    async with limited_client(service, RequestLimits(deadline_seconds=0.05)) as client:
        assert (await client.get("/long-poll/0.001")).status_code == 503
        async with asyncio.TaskGroup() as tasks:
            pending = tasks.create_task(client.get("/long-poll/60"))
            await asyncio.sleep(0.1)
            service.released.set()
        assert pending.result().status_code == 200


async def test_response_that_has_begun_is_neither_ended_nor_counted(service: WaitingService) -> None:
    async with (
        limited_client(service, RequestLimits(deadline_seconds=0.05, max_concurrent_requests=1)) as client,
        asyncio.TaskGroup() as tasks,
    ):
        stream = tasks.create_task(client.get("/streams"))
        await _until(lambda: service.waiting == 1)
        await asyncio.sleep(0.1)
        assert (await client.post("/takes", content=b"12")).status_code == 201
        service.released.set()
        assert (await stream).text == "firstlast"


async def test_request_beyond_the_concurrency_limit_is_refused_immediately(service: WaitingService) -> None:
    async with limited_client(service, RequestLimits(max_concurrent_requests=2)) as client:
        async with asyncio.TaskGroup() as tasks:
            accepted = [tasks.create_task(client.get("/waits")) for _ in range(2)]
            await _until(lambda: service.waiting == 2)
            refused = await client.get("/waits")
            assert (refused.status_code, refused.headers["retry-after"], _slug(refused)) == (503, "1", "overloaded")
            assert await _shed(client, "overloaded") == 1
            for path in ("/health/live", "/health/ready", "/metrics"):
                assert (await client.get(path)).status_code == 200
            service.released.set()
        assert [each.result().status_code for each in accepted] == [200, 200]
        assert (await client.get("/waits")).status_code == 200


async def test_slots_are_free_again_after_deadlines(service: WaitingService) -> None:
    async with limited_client(service, RequestLimits(deadline_seconds=0.02, max_concurrent_requests=1)) as client:
        for _ in range(3):
            assert _slug(await client.get("/waits")) == "deadline-exceeded"
        assert (await client.post("/takes", content=b"12")).json() == 2


@pytest.mark.parametrize(
    ("headers", "detail"),
    [
        ([(f"X-{number}", "a") for number in range(70)], "At most 64 header fields"),
        ([("X-Long", "a" * 16_384)], "At most 16384 bytes"),
        ([(f"X-{number}", "a" * 1000) for number in range(20)], "At most 16384 bytes"),
        ([(f"X-{number}-{'n' * 1000}", "a") for number in range(20)], "At most 16384 bytes"),
    ],
    ids=["too many", "one too large", "too large together", "names too large together"],
)
async def test_header_fields_beyond_the_limits_are_refused(
    service: WaitingService, headers: list[tuple[str, str]], detail: str
) -> None:
    async with limited_client(service, RequestLimits()) as client:
        response = await client.post("/takes", content=b"", headers=headers)
        assert (response.status_code, _slug(response)) == (431, "headers-too-large")
        assert detail in response.json()["detail"]


async def test_body_beyond_the_limit_is_refused_with_and_without_content_length(service: WaitingService) -> None:
    async def chunks(total: int) -> AsyncIterator[bytes]:
        for _ in range(total // 65_536):
            yield b"x" * 65_536
        yield b"x" * (total % 65_536)

    async with limited_client(service, RequestLimits()) as client:
        assert (await client.post("/takes", content=chunks(MAX_BODY_BYTES))).json() == MAX_BODY_BYTES
        for content in (b"x" * (MAX_BODY_BYTES + 1), chunks(MAX_BODY_BYTES + 1)):
            response = await client.post("/takes", content=content)
            assert (response.status_code, _slug(response)) == (413, "body-too-large")
            assert str(MAX_BODY_BYTES) in response.json()["detail"]


async def test_options_lists_every_method_of_a_path() -> None:
    @get("/item", opt=OPEN)
    async def show() -> None: ...

    @post("/item", opt=OPEN)
    async def make() -> None: ...

    app = build_application(
        title="Test",
        description="Two methods.",
        handlers=[show, make],
        problem_types={},
        health=Health({}, started=True),
        metrics=Metrics(Service.CONTROL_PLANE),
        authenticator=OpenAccess(),
    )
    transport = httpx2.ASGITransport(app=app)  # type: ignore[arg-type]
    async with httpx2.AsyncClient(transport=transport, base_url="http://test") as client:
        assert (await client.options("/item")).headers["allow"] == "GET, HEAD, OPTIONS, POST"
        assert (await client.options("/nothing")).status_code == 404
