"""The control API's history."""

from typing import Any

import httpx2
import pytest

TENANT = "/tenants/team-a"
ONE, TWO = "https://one.example/", "https://two.example/"


@pytest.fixture(autouse=True)
async def _history(client: httpx2.AsyncClient) -> None:
    """Revisions: 1 creates v1, 2 moves it and creates v2, 3 moves it back, 4 deactivates v2."""
    await client.put(TENANT)
    steps: list[tuple[str, list[dict[str, Any]]]] = [
        ("ada", [_put("v1", ONE)]),
        ("bob", [_put("v1", TWO), _put("v2", ONE)]),
        ("ada", [_put("v1", ONE)]),
        ("bob", [{**_put("v2", ONE), "op": "deactivate", "url": None}]),
    ]
    for actor, changes in steps:
        body = {"changes": [{name: value for name, value in each.items() if value} for each in changes]}
        response = await client.post(f"{TENANT}/changes", json={**body, "reason": "r"}, headers={"X-Actor": actor})
        assert response.status_code == 200, response.text


def _put(version: str, url: str) -> dict[str, Any]:
    return {"op": "put", "service": "payments", "env": "prod", "version": version, "url": url}


async def test_change_sets_are_listed_newest_first_in_pages(client: httpx2.AsyncClient) -> None:
    revisions: list[int] = []
    query: dict[str, Any] = {"limit": 3}
    while True:
        page = (await client.get(f"{TENANT}/changes", params=query)).json()
        revisions += [each["revision"] for each in page["change_sets"]]
        if page["next_cursor"] is None:
            break
        query["cursor"] = page["next_cursor"]
    assert revisions == [4, 3, 2, 1]


async def test_list_of_change_sets_has_author_reason_and_count_and_is_filtered(client: httpx2.AsyncClient) -> None:
    all_of_them = (await client.get(f"{TENANT}/changes")).json()["change_sets"]
    second = all_of_them[2]
    assert (second["changed_by"], second["reason"], second["change_count"]) == ("bob", "r", 2)
    by_ada = (await client.get(f"{TENANT}/changes", params={"changed_by": "ada"})).json()["change_sets"]
    assert [each["revision"] for each in by_ada] == [3, 1]
    since = (await client.get(f"{TENANT}/changes", params={"since": second["committed_at"]})).json()["change_sets"]
    assert [each["revision"] for each in since] == [4, 3, 2]


async def test_change_set_is_shown_with_all_its_changes(client: httpx2.AsyncClient) -> None:
    body = (await client.get(f"{TENANT}/changes/2")).json()
    assert (body["revision"], body["changed_by"]) == (2, "bob")
    assert [(each["version"], each["action"]) for each in body["changes"]] == [("v1", "updated"), ("v2", "created")]
    assert body["changes"][0]["before"] == {"url": ONE, "is_active": True}


@pytest.mark.parametrize(
    ("first", "last", "expected"),
    [
        (0, 4, [("v1", "created"), ("v2", "created")]),
        (1, 3, [("v2", "created")]),
        (2, 4, [("v1", "updated"), ("v2", "deactivated")]),
        (3, 3, []),
    ],
)
async def test_diff_is_the_net_difference(
    client: httpx2.AsyncClient, first: int, last: int, expected: list[tuple[str, str]]
) -> None:
    body = (await client.get(f"{TENANT}/diff", params={"from": first, "to": last})).json()
    assert [(each["version"], each["action"]) for each in body["changes"]] == expected


async def test_diff_is_paged(client: httpx2.AsyncClient) -> None:
    first = (await client.get(f"{TENANT}/diff", params={"from": 0, "to": 4, "limit": 1})).json()
    query: dict[str, str | int] = {"from": 0, "to": 4, "cursor": first["next_cursor"]}
    second = (await client.get(f"{TENANT}/diff", params=query)).json()
    assert [each["version"] for each in first["changes"] + second["changes"]] == ["v1", "v2"]
    assert second["next_cursor"] is None


async def test_routes_are_listed_as_of_a_revision(client: httpx2.AsyncClient) -> None:
    expected: dict[int, list[tuple[str, str]]] = {
        0: [],
        1: [("v1", ONE)],
        2: [("v1", TWO), ("v2", ONE)],
        4: [("v1", ONE)],
    }
    for revision, routes in expected.items():
        query: dict[str, str | int] = {"at_revision": revision, "active": "true"}
        body = (await client.get(f"{TENANT}/routes", params=query)).json()
        assert [(each["version"], each["url"]) for each in body["routes"]] == routes
        assert body["at_revision"] == revision


@pytest.mark.parametrize(
    ("path", "query", "pointer"),
    [
        ("changes", {"cursor": "!"}, "/cursor"),
        ("changes", {"since": "yesterday"}, "/since"),
        ("changes", {"limit": "0"}, "/limit"),
        ("changes/x", {}, "/revision"),
        ("diff", {"from": "2", "to": "1"}, "/from"),
        ("diff", {"from": "2"}, "/to"),
        ("routes", {"at_revision": "-1"}, "/at_revision"),
    ],
)
async def test_invalid_parameter_is_named(
    client: httpx2.AsyncClient, path: str, query: dict[str, str], pointer: str
) -> None:
    response = await client.get(f"{TENANT}/{path}", params=query)
    assert response.status_code == 400
    assert [each["pointer"] for each in response.json()["errors"]] == [pointer]


@pytest.mark.parametrize("path", ["changes/5", "diff?from=0&to=5", "routes?at_revision=5", "changes/0"])
async def test_revision_that_was_never_committed_is_not_found(client: httpx2.AsyncClient, path: str) -> None:
    response = await client.get(f"{TENANT}/{path}")
    assert (response.status_code, response.json()["type"].rsplit(":", 1)[-1]) == (404, "no-such-revision")


@pytest.mark.parametrize(
    ("name", "value"),
    [("changed_by", "a\0b"), ("changed_by", ""), ("since", "0001-01-01T00:00:00+14:00"), ("since", "0.5")],
)
async def test_value_that_the_database_cannot_compare_is_refused(
    client: httpx2.AsyncClient, name: str, value: str
) -> None:
    response = await client.get(f"{TENANT}/changes", params={name: value})
    assert (response.status_code, [each["pointer"] for each in response.json()["errors"]]) == (400, [f"/{name}"])
