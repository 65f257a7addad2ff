"""Change sets whose event Kafka would refuse: they are refused before they commit."""

from typing import Any

import httpx2
import pytest

from control_plane.domain.changes import Attribution
from control_plane.domain.routes import Route, Tenant
from shared.schemas.events import MAX_CHANGES, RouteChange
from shared.schemas.identity import RouteKey
from shared.schemas.route_value import RouteValue
from shared.schemas.topics import MAX_EVENT_BYTES
from tests.fakes.control_plane_registry import CommittedChangeSet, FakeRegistry
from tests.support.control_api_requests import CHANGES, TENANT

STORED = RouteValue("https://one.example/?q=".ljust(4096, '"'), True)
"""A value from before the rules for URLs: its quotes double in JSON."""
LEGAL = RouteValue("https://two.example/".ljust(2048, "x"), True)
KEYS = [RouteKey("team-a", "s" * 63, "e" * 63, f"v{number:062}") for number in range(MAX_CHANGES)]

_LISTED = [{"service": key.service, "env": key.env, "version": key.version, "url": LEGAL.url} for key in KEYS]
REQUESTS: list[tuple[str, str, dict[str, Any]]] = [
    ("POST", CHANGES, {"changes": [{"op": "put", **each} for each in _LISTED]}),
    ("PUT", f"{TENANT}/routes", {"routes": _LISTED}),
    ("POST", f"{CHANGES}/1/revert", {}),
    ("POST", f"{TENANT}/revert-to/0", {"allow_mass_deactivation": True}),
]


@pytest.fixture(autouse=True)
def stored(registry: FakeRegistry) -> None:
    """The tenant has such a URL in each of 500 routes; one change set gave it to them instead of another such URL."""
    before = RouteValue(f"{STORED.url}/", True)
    changes = tuple(RouteChange.between(key, before, STORED) for key in KEYS)
    by = Attribution("ci-bot", None, "req-1")
    registry.committed.append(CommittedChangeSet("team-a", 1, changes, by, {}, registry.now))
    registry.routes.update({key: Route(key, STORED, 1, registry.now, registry.now) for key in KEYS})
    registry.tenants["team-a"] = Tenant("team-a", 1, registry.now)


@pytest.mark.parametrize("dry_run", [True, False])
@pytest.mark.parametrize(("method", "path", "body"), REQUESTS, ids=["change set", "desired set", "revert", "revert-to"])
async def test_change_set_with_an_event_above_the_limit_is_refused_with_size_and_limit(
    client: httpx2.AsyncClient, registry: FakeRegistry, method: str, path: str, body: dict[str, Any], dry_run: bool
) -> None:
    refused = await client.request(method, path, json={**body, "dry_run": dry_run})
    assert (refused.status_code, refused.json()["type"].rsplit(":", 1)[-1]) == (413, "event-too-large")
    assert f"the limit is {MAX_EVENT_BYTES} bytes" in refused.json()["detail"]
    assert "event of " in refused.json()["detail"]
    assert len(registry.committed) == 1


async def test_part_of_a_change_set_that_is_too_large_is_applied(client: httpx2.AsyncClient) -> None:
    _, path, body = REQUESTS[0]
    applied = await client.post(path, json={"changes": body["changes"][:200]})
    assert applied.status_code == 200


async def test_stored_url_that_the_rules_refuse_today_stays_readable(client: httpx2.AsyncClient) -> None:
    key = KEYS[0]
    read = await client.get(f"{TENANT}/routes/{key.service}/{key.env}/{key.version}")
    assert (read.status_code, read.json()["url"]) == (200, STORED.url)
