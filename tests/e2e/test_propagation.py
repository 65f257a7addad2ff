"""Who has applied a change set, asked of the control plane."""

from typing import Any

from shared.schemas.identity import RouteKey
from tests.system import System
from tests.waiting import eventually


async def propagation(system: System, tenant: str, revision: int, wait: float = 0) -> Any:
    """The answer's JSON; fails the test when there is none."""
    path = f"{system.control_url}/api/v1/tenants/{tenant}/changes/{revision}/propagation"
    answer = await system.http.get(path, params={"wait": wait}, timeout=wait + 10)
    assert answer.status_code == 200, answer.text
    return answer.json()


def by_resolver(found: Any) -> dict[str, list[str]]:
    """The states of each resolver's processes, by the resolver's own name."""
    states: dict[str, list[str]] = {}
    for each in found["instances"]:
        states.setdefault(each["instance"].rsplit("-", 1)[0], []).append(each["state"])
    return states


async def test_change_is_live_everywhere_when_the_answer_says_so(system: System) -> None:
    key = await system.new_key()
    for number in range(1, 11):
        await system.put(key, f"http://v{number}")
        found = await propagation(system, key.tenant, number, wait=20)
        assert found["live_everywhere"], found
        seen = {await system.resolved_url(each, key) for each in system.resolver_urls}
        assert seen == {f"http://v{number}"}


async def test_every_resolver_that_runs_is_named(system: System) -> None:
    key = await system.new_key()
    await system.put(key, "http://v1")
    third = system.services.another("data_plane", "data-plane-third", {"TM_WORKERS": "2"})
    await third.start()
    try:
        found = await eventually(lambda: _with(system, key, "data-plane-third", 2))
        assert {"data-plane-1", "data-plane-2"} <= set(by_resolver(found))
    finally:
        await third.stop()
    await eventually(lambda: _with(system, key, "data-plane-third", 0))


async def _with(system: System, key: RouteKey, name: str, processes: int) -> Any:
    found = await propagation(system, key.tenant, 1)
    return found if len(by_resolver(found).get(name, [])) == processes else None
