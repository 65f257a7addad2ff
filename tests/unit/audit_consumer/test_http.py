"""The audit API over a fake trail."""

from collections.abc import AsyncIterator
from datetime import timedelta
from typing import Any

import httpx2
import pytest
import pytest_asyncio

from audit_consumer.domain.events import AuditEvent
from audit_consumer.errors import QueryTooSlow
from audit_consumer.settings import AuditSettings
from shared.schemas.events import Action
from tests.fakes.audit_ports import audit_app
from tests.fakes.audit_trail import FakeAuditTrail
from tests.support.audit import EPOCH, an_event, client_of
from tests.support.clocks import MovableClock

DAY = 24 * 3600.0
ROUTE = {"tenant": "team-a", "service": "payments", "env": "prod", "version": "v1"}
RANGE = {"start": "2026-01-01T00:00:00Z", "end": "2026-01-02T00:00:00Z"}
ENDPOINTS: list[tuple[str, dict[str, str]]] = [
    ("/route", ROUTE),
    ("/recent", {}),
    ("/action", {"action": "created"}),
    ("/time-range", RANGE),
    ("/correlation/req-1", {}),
]


class Api:
    """The application over a fake trail. The clock is ten days after EPOCH."""

    def __init__(self, trail: FakeAuditTrail, client: httpx2.AsyncClient) -> None:
        self.trail = trail
        self.client = client

    async def get(self, path: str, **parameters: str) -> httpx2.Response:
        return await self.client.get(f"/api/v1/audit{path}", params=parameters or None)

    async def revisions(self, path: str, **parameters: str) -> list[int]:
        answer = await self.get(path, **parameters)
        assert answer.status_code == 200, answer.text
        body = answer.json()
        assert body["count"] == len(body["events"])
        return [each["revision"] for each in body["events"]]

    async def wrong(self, path: str, **parameters: str) -> set[str]:
        answer = await self.get(path, **parameters)
        assert answer.status_code == 400, answer.text
        assert answer.headers["content-type"] == "application/problem+json"
        return {each["pointer"] for each in answer.json()["errors"]}


@pytest_asyncio.fixture
async def api() -> AsyncIterator[Api]:
    trail, clock = FakeAuditTrail(), MovableClock(EPOCH + timedelta(days=10))
    async with client_of(audit_app(trail, clock)) as client:
        yield Api(trail, client)


def on_day(day: float, revision: int, action: Action = Action.UPDATED, **values: Any) -> AuditEvent:
    return an_event(action, seconds=day * DAY, revision=revision, **{"tenant": "team-a", **values})


async def test_route_history_has_every_change_newest_first(api: Api) -> None:
    await api.trail.store([on_day(-400, 1, Action.CREATED), on_day(9, 2), on_day(9, 3, service="carts")])
    await api.trail.store([on_day(9, 4, version="v2"), on_day(9, 5, tenant="team-b")])
    assert await api.revisions("/route", **ROUTE) == [2, 1]
    assert await api.revisions("/route", **ROUTE, action="created") == [1]


async def test_recent_covers_seven_days_by_default(api: Api) -> None:
    await api.trail.store([on_day(1, 1), on_day(4, 2), on_day(9.5, 3)])
    assert await api.revisions("/recent") == [3, 2]
    assert await api.revisions("/recent", days="1") == [3]
    assert await api.revisions("/recent", days="365") == [3, 2, 1]


async def test_action_query_covers_one_day_by_default(api: Api) -> None:
    await api.trail.store([on_day(1, 1), on_day(9.5, 2), on_day(9.5, 3, Action.DEACTIVATED)])
    assert await api.revisions("/action", action="updated") == [2]
    assert await api.revisions("/action", action="deactivated") == [3]
    assert await api.revisions("/action", action="updated", hours="8760") == [2, 1]


async def test_time_range_includes_its_start_and_excludes_its_end(api: Api) -> None:
    await api.trail.store([on_day(0, 1), on_day(0.5, 2), on_day(1, 3)])
    assert await api.revisions("/time-range", **RANGE) == [2, 1]
    assert await api.revisions("/time-range", start="2026-01-01T02:00:00+02:00", end=RANGE["end"]) == [2, 1]


async def test_correlation_query_returns_the_changes_of_one_request(api: Api) -> None:
    await api.trail.store([on_day(0, 1, correlation_id="req-1"), on_day(0, 2, correlation_id="req-2")])
    assert await api.revisions("/correlation/req-1") == [1]
    assert await api.revisions("/correlation/req-3") == []


@pytest.mark.parametrize(("path", "parameters"), ENDPOINTS)
async def test_filters_apply_to_every_endpoint(api: Api, path: str, parameters: dict[str, str]) -> None:
    same = {"correlation_id": "req-1"}
    in_all = [on_day(0.9, 1, Action.CREATED, **same)]
    await api.trail.store(
        [*in_all, on_day(0.9, 2, Action.CREATED, tenant="team-b", service="carts", env="dev", **same)]
    )
    wide = {"days": "30"} if path == "/recent" else {"hours": "720"} if path == "/action" else {}
    filters = {"tenant": "team-a", "service": "payments", "env": "prod", "action": "created"}
    for name, value in filters.items():
        found = await api.revisions(path, **{**parameters, **wide, name: value})
        assert found == ([2, 1] if name == "action" and path != "/route" else [1]), name


async def test_event_has_actor_time_reason_and_previous_value(api: Api) -> None:
    event = on_day(9, 42, correlation_id="req-1")
    await api.trail.store([event])
    (found,) = (await api.get("/recent")).json()["events"]
    assert found == {
        "event_id": str(event.event_id),
        "event_type": "route_changed",
        "index": 0,
        "action": "updated",
        "route": ROUTE,
        "revision": 42,
        "url": event.value.url,
        "is_active": True,
        "previous_url": "https://previous.example.com/v1",
        "previous_state": "active",
        "changed_by": "ci-bot",
        "reason": "release 42",
        "correlation_id": "req-1",
        "occurred_at": "2026-01-10T00:00:00Z",
        "processed_at": "2026-01-01T00:00:00Z",
    }


async def test_cursor_returns_the_next_page(api: Api) -> None:
    await api.trail.store([on_day(9, revision) for revision in range(1, 6)])
    seen: list[int] = []
    parameters = {"limit": "2"}
    for _ in range(3):
        body = (await api.get("/recent", **parameters)).json()
        seen += [each["revision"] for each in body["events"]]
        parameters["cursor"] = body["next_cursor"]
    assert seen == [5, 4, 3, 2, 1]
    assert parameters["cursor"] is None


async def test_cursor_of_another_query_is_an_invalid_parameter(api: Api) -> None:
    await api.trail.store([on_day(9, revision) for revision in range(1, 6)])
    cursor = (await api.get("/recent", limit="2")).json()["next_cursor"]
    assert await api.wrong("/recent", cursor=cursor, tenant="team-a") == {"/cursor"}
    assert await api.wrong("/recent", cursor="nonsense") == {"/cursor"}


async def test_response_lists_every_invalid_parameter(api: Api) -> None:
    assert await api.wrong("/recent", days="0", tenant="A", limit="1001", colour="red", action="gone", cursor="") == {
        "/days", "/tenant", "/limit", "/colour", "/action", "/cursor",
    }  # fmt: skip
    assert await api.wrong("/route", service="a b") == {"/tenant", "/service", "/env", "/version"}
    assert await api.wrong("/time-range", start="yesterday", limit="x") == {"/start", "/end", "/limit"}
    assert await api.wrong("/correlation/a b", limit="x") == {"/correlation_id", "/limit"}


@pytest.mark.parametrize(
    "text",
    [
        "2026-01-01",
        "2026-01-01T00:00:00",
        "20260101T000000Z",
        "1767225600",
        "2026-01-01T00:00:00 01:00",
        "2026-13-01T00:00:00Z",
        "0001-01-01T00:00:00+10:00",
    ],
)
async def test_time_without_offset_or_not_in_rfc_3339_is_refused(api: Api, text: str) -> None:
    assert await api.wrong("/time-range", start=text, end="2026-01-02T00:00:00Z") == {"/start"}


async def test_range_that_ends_before_its_start_is_refused(api: Api) -> None:
    assert await api.wrong("/time-range", start=RANGE["end"], end=RANGE["end"], limit="0") == {"/end", "/limit"}


async def test_repeated_parameter_is_refused(api: Api) -> None:
    assert await api.wrong("/recent?limit=1&limit=2") == {"/limit"}


@pytest.mark.parametrize(("path", "parameters"), ENDPOINTS)
async def test_unavailable_store_is_a_503_with_retry_after(api: Api, path: str, parameters: dict[str, str]) -> None:
    api.trail.is_down = True
    answer = await api.get(path, **parameters)
    assert (answer.status_code, answer.headers["retry-after"]) == (503, "1")
    assert answer.json()["type"].endswith(":dependency-unavailable")


async def test_slow_query_is_a_503_that_says_how_to_narrow_it() -> None:
    class SlowTrail(FakeAuditTrail):
        async def find(self, *_: object) -> list[AuditEvent]:
            raise QueryTooSlow(2)

    app = audit_app(SlowTrail())
    async with client_of(app) as client:
        answer = await client.get("/api/v1/audit/recent")
    assert answer.status_code == 503
    assert "shorten the period" in answer.json()["detail"]


async def test_openapi_has_every_parameter_and_an_example_response(api: Api) -> None:
    paths = (await api.client.get("/schema/openapi.json")).json()["paths"]
    operations = {path: item["get"] for path, item in paths.items() if path.startswith("/api/v1/audit")}
    assert len(operations) == 5
    for path, operation in operations.items():
        names = {each["name"] for each in operation["parameters"]}
        assert {"action", "limit", "cursor", "tenant", "service", "env"} <= names, path
        assert all(each.get("example") for each in operation["parameters"] if each["in"] == "query"), path
        assert {"200", "400", "503"} <= operation["responses"].keys()
        assert operation["responses"]["200"]["content"]["application/json"]["examples"]
        assert operation["summary"]
        assert operation["tags"] == ["Audit"]


@pytest.mark.parametrize(("path", "parameters"), ENDPOINTS)
async def test_queries_beyond_the_read_limit_are_refused(path: str, parameters: dict[str, str]) -> None:
    settings = AuditSettings(tenant_reads_per_second=0.1, tenant_read_burst=2)
    async with client_of(audit_app(FakeAuditTrail(), MovableClock(EPOCH), settings=settings)) as client:
        api = Api(FakeAuditTrail(), client)
        assert [(await api.get(path, **parameters)).status_code for _ in range(2)] == [200, 200]
        refused = await api.get(path, **parameters)
        assert (refused.status_code, refused.headers["Retry-After"]) == (429, "10")
        assert refused.json()["type"] == "urn:traffic-manager:problem:too-many-reads"
