"""Requests to the control API, for its tests on fakes."""

from typing import Any

import httpx2

TENANT = "/tenants/team-a"
CHANGES = f"{TENANT}/changes"
ONE, TWO = "https://one.example/", "https://two.example/"


def change(op: str, version: str = "v1", url: str | None = None, **fields: Any) -> dict[str, Any]:
    """A change of a route of team-a, as JSON."""
    given = {"op": op, "service": "payments", "env": "prod", "version": version, "url": url, **fields}
    return {name: value for name, value in given.items() if value is not None}


def route(version: str = "v1", url: str = ONE, **fields: Any) -> dict[str, Any]:
    """A route of a desired set, as JSON."""
    return {"service": "payments", "env": "prod", "version": version, "url": url, **fields}


async def apply(client: httpx2.AsyncClient, *changes: dict[str, Any], **terms: Any) -> httpx2.Response:
    """The response to a change set of team-a."""
    return await client.post(CHANGES, json={"changes": changes, **terms})


def pointers(response: httpx2.Response) -> list[str]:
    """The pointers of a response's errors."""
    return [each["pointer"] for each in response.json()["errors"]]


def actions(response: httpx2.Response) -> list[tuple[str, str]]:
    """Version and action of each change in a response."""
    return [(each["version"], each["action"]) for each in response.json()["changes"]]
