"""Propagation requests to the control plane."""

from typing import Any

import httpx2

from tests.support.system import System


async def ask_propagation(system: System, tenant: str, revision: int, wait: float = 0) -> httpx2.Response:
    """The response to a propagation request, with any status. `wait` is in seconds."""
    path = f"{system.control_url}/api/v1/tenants/{tenant}/changes/{revision}/propagation"
    return await system.http.get(path, params={"wait": wait}, timeout=wait + 15)


async def propagation(system: System, tenant: str, revision: int, wait: float = 0) -> Any:
    """The JSON of a successful propagation response; any other status fails the test."""
    answer = await ask_propagation(system, tenant, revision, wait)
    assert answer.status_code == 200, answer.text
    return answer.json()


def states_by_resolver(found: Any) -> dict[str, list[str]]:
    """The apply states of each resolver's processes, by the name of the resolver."""
    states: dict[str, list[str]] = {}
    for each in found["instances"]:
        states.setdefault(each["instance"].rsplit("-", 1)[0], []).append(each["state"])
    return states
