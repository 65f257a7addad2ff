"""Propagation responses of the control plane."""

from typing import Any

from shared.schemas.identity import RouteKey
from tests.support.propagation import ask_propagation, propagation, states_by_resolver
from tests.support.system import System
from tests.support.waiting import eventually


async def test_every_resolver_returns_the_change_when_the_wait_ends(system: System) -> None:
    key = await system.new_key()
    for number in range(1, 11):
        await system.put(key, f"http://v{number}")
        found = await propagation(system, key.tenant, number, wait=20)
        assert found["live_everywhere"], found
        assert {await system.resolved_url(each, key) for each in system.resolver_urls} == {f"http://v{number}"}


async def test_every_serving_process_is_listed_until_it_withdraws(system: System) -> None:
    key = await system.new_key()
    await system.put(key, "http://v1")
    third = system.services.add_instance("data_plane", "data-plane-third", {"TM_WORKERS": "2"})
    await third.start()
    try:
        found = await eventually(lambda: _with(system, key, "data-plane-third", 2))
        assert {"data-plane-1", "data-plane-2"} <= set(states_by_resolver(found))
    finally:
        await third.stop()
    await eventually(lambda: _with(system, key, "data-plane-third", 0))


async def _with(system: System, key: RouteKey, name: str, processes: int) -> Any:
    found = await propagation(system, key.tenant, 1)
    return found if len(states_by_resolver(found).get(name, [])) == processes else None


async def test_propagation_of_an_uncommitted_revision_is_a_404(system: System) -> None:
    key = await system.new_key()
    await system.put(key, "http://v1")
    answer = await ask_propagation(system, key.tenant, 2)
    assert (answer.status_code, answer.json()["type"]) == (404, "urn:traffic-manager:problem:no-such-revision")
