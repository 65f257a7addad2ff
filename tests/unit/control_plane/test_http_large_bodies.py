"""Large bodies cost the control plane little: they are refused early, answered briefly, and computed off the loop."""

import threading
from typing import Any

import httpx2
import msgspec
import pytest

from control_plane.http.changes import handlers
from control_plane.service import change_sets
from control_plane.settings import ControlPlaneSettings
from shared.runtime.http.problems import MAX_BODY_BYTES
from shared.runtime.http.telemetry import TelemetryMiddleware
from tests.support.asgi import Request
from tests.support.control_api_requests import CHANGES, ONE, TENANT, apply, change, route

pytestmark = pytest.mark.usefixtures("team_a")

MAX_ROUTES = 1200
ANSWER_BYTES = 64 * 1024


@pytest.fixture
def settings() -> ControlPlaneSettings:
    return ControlPlaneSettings(max_desired_routes=MAX_ROUTES)


def filled(opening: bytes, element: bytes, closing: bytes) -> bytes:
    """A body of the maximum size that repeats an element of an array."""
    return opening + element * ((MAX_BODY_BYTES - 200) // len(element)) + closing


@pytest.mark.parametrize(
    "element", [b'{"a":1},', b"[],", b"0,", b'"",', b'{"op":"put","service":"a","env":"b","version":"c"},']
)
async def test_array_of_rubbish_is_refused_briefly(client: httpx2.AsyncClient, element: bytes) -> None:
    for method, path, field in (("PUT", f"{TENANT}/routes", b"routes"), ("POST", CHANGES, b"changes")):
        body = filled(b'{"%b":[' % field, element, b"0]}")
        response = await client.request(method, path, content=body)
        assert response.status_code in (400, 413)
        assert len(response.content) < ANSWER_BYTES


async def test_object_of_unknown_fields_is_refused_briefly(client: httpx2.AsyncClient) -> None:
    body = b"{" + b",".join(b'"field-%d":1' % number for number in range(100_000)) + b"}"
    paths = ("routes/a/b/c", "routes", "changes", "access-keys", "changes/1/revert", "revert-to/1")
    for path in paths:
        response = await client.request(
            "POST" if path.partition("/")[0] != "routes" else "PUT", f"{TENANT}/{path}", content=body
        )
        assert response.status_code == 400
        assert len(response.content) < ANSWER_BYTES


async def test_errors_of_a_desired_set_are_counted_and_a_hundred_listed(client: httpx2.AsyncClient) -> None:
    response = await client.put(f"{TENANT}/routes", json={"routes": [{"a": 1}] * MAX_ROUTES})
    problem = response.json()
    assert (response.status_code, len(problem["errors"]), problem["total_errors"]) == (400, 100, 5 * MAX_ROUTES)


async def test_desired_set_above_the_setting_is_refused(client: httpx2.AsyncClient) -> None:
    routes = [route(f"v{number}") for number in range(MAX_ROUTES + 1)]
    response = await client.put(f"{TENANT}/routes", json={"routes": routes})
    assert (response.status_code, response.json()["type"]) == (413, "urn:traffic-manager:problem:too-many-routes")
    assert "TM_MAX_DESIRED_ROUTES" in response.json()["detail"]


async def test_plan_above_500_changes_is_not_sent_with_the_error(client: httpx2.AsyncClient) -> None:
    for first in (0, 400):
        await apply(client, *[change("put", f"v{number}", ONE) for number in range(first, first + 400)])
    for terms in ({"expected_revision": 7}, {}):
        response = await client.put(f"{TENANT}/routes", json={"routes": [], **terms})
        assert (response.status_code, "plan" in response.json()) == (413, False)
        assert len(response.content) < ANSWER_BYTES


async def test_long_body_is_parsed_and_many_routes_planned_off_the_loop(
    client: httpx2.AsyncClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    threads: dict[str, int] = {}

    def noting(module: Any, name: str) -> None:
        function = getattr(module, name)

        def noted(*args: Any, **kwargs: Any) -> Any:
            threads[name] = threading.get_ident()
            return function(*args, **kwargs)

        monkeypatch.setattr(module, name, noted)

    for module, name in ((handlers, "accept_desired_set"), (handlers, "accept_change_set"), (change_sets, "make_plan")):
        noting(module, name)
    await apply(client, change("put", "v1", ONE))
    assert set(threads.values()) == {threading.get_ident()}
    await apply(client, *[change("put", f"v{number}", ONE) for number in range(400)])
    assert threads["accept_change_set"] != threading.get_ident()
    routes = [route(f"v{number}") for number in range(MAX_ROUTES)]
    response = await client.put(f"{TENANT}/routes", content=msgspec.json.encode({"routes": routes, "dry_run": True}))
    assert response.status_code == 413
    assert threading.get_ident() not in (threads["accept_desired_set"], threads["make_plan"])


async def test_body_that_is_cut_off_is_no_error_of_the_service(app: TelemetryMiddleware) -> None:
    sent: list[Any] = []
    arriving: list[Any] = [{"type": "http.request", "body": b"{", "more_body": True}, {"type": "http.disconnect"}]

    async def receive() -> Any:
        return arriving.pop(0)

    async def send(message: Any) -> None:
        sent.append(message)

    request = Request("/api/v1/tenants/team-a/changes", "POST", headers=[(b"content-length", b"100")])
    await app(request.scope(), receive, send)  # type: ignore[arg-type]
    assert (sent[0]["status"], b"body-incomplete" in sent[1]["body"]) == (400, True)


@pytest.mark.parametrize("moment", ["9999-12-31T23:59:59-05:00", "0001-01-01T00:00:00+10:00"])
async def test_expiry_outside_utc_is_refused(client: httpx2.AsyncClient, moment: str) -> None:
    key = {"subject": "ci", "role": "editor", "expires_at": moment}
    response = await client.post(f"{TENANT}/access-keys", json=key)
    assert (response.status_code, response.json()["errors"][0]["pointer"]) == (400, "/expires_at")
