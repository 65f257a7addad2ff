"""Propagation responses while resolvers or Kafka are frozen."""

import asyncio
import time
from typing import Any

from tests.support.propagation import ask_propagation, propagation, states_by_resolver
from tests.support.system import System
from tests.support.waiting import eventually

WAIT_SECONDS = 60
RECOVERED_WITHIN = 1.0
"""Maximum seconds between a resolver's resumption and the response to a waiting request, as documented."""


async def test_frozen_resolver_is_lagging_and_the_wait_ends_when_it_recovers(system: System) -> None:
    key = await system.new_key()
    frozen = system.services.data_planes[1]
    await system.put(key, "http://before")
    assert (await propagation(system, key.tenant, 1, wait=WAIT_SECONDS))["live_everywhere"]
    await frozen.freeze()
    try:
        await system.put(key, "http://meanwhile")
        waiting = asyncio.create_task(propagation(system, key.tenant, 2, wait=WAIT_SECONDS))
        found = await propagation(system, key.tenant, 2, wait=2)
        assert not found["live_everywhere"]
        assert not waiting.done()
        assert states_by_resolver(found)["data-plane-1"] == ["applied"]
        [lagging] = [each for each in found["instances"] if each["instance"].startswith("data-plane-2")]
        assert (lagging["state"], lagging["lag_records"] >= 1) == ("lagging", True)
        assert lagging["lag_seconds"] >= 2
    finally:
        thawed_at = time.monotonic()
        await frozen.thaw()
    found = await waiting
    assert time.monotonic() - thawed_at <= RECOVERED_WITHIN
    assert found["live_everywhere"]
    assert states_by_resolver(found)["data-plane-2"] == ["applied"]
    assert await system.resolved_url(frozen.urls[0], key) == "http://meanwhile"


async def test_resolver_that_stays_frozen_is_gone_until_it_reports_again(system: System) -> None:
    key = await system.new_key()
    frozen = system.services.data_planes[1]
    await frozen.freeze()
    try:
        await system.put(key, "http://meanwhile")
        found = await propagation(system, key.tenant, 1, wait=30)
        assert found["live_everywhere"], found
        assert (states_by_resolver(found)["data-plane-1"], states_by_resolver(found)["data-plane-2"]) == (
            ["applied"],
            ["gone"],
        )
    finally:
        await frozen.thaw()

    async def is_back() -> bool:
        return states_by_resolver(await propagation(system, key.tenant, 1))["data-plane-2"] == ["applied"]

    await eventually(is_back)


async def test_change_is_committed_and_its_propagation_is_unknown_while_kafka_is_frozen(
    system: System,
) -> None:
    key = await system.new_key()
    await system.put(key, "http://before")
    assert (await propagation(system, key.tenant, 1, wait=WAIT_SECONDS))["live_everywhere"]
    await system.stack.kafka.freeze()
    try:
        await system.put(key, "http://meanwhile")

        async def is_unknown() -> Any:
            answer = await ask_propagation(system, key.tenant, 2)
            return answer if answer.status_code == 503 else None

        problem = (await eventually(is_unknown, within=30)).json()
        assert problem["type"] == "urn:traffic-manager:problem:propagation-unknown"
        assert "not yet known to be in Kafka" in problem["detail"]
        waiting = asyncio.create_task(propagation(system, key.tenant, 2, wait=WAIT_SECONDS))
    finally:
        await system.stack.kafka.thaw()
    found = await waiting
    assert found["live_everywhere"], found
