"""Who has applied a change set while resolvers or Kafka stand still."""

import asyncio
import time
from typing import Any

from tests.support.propagation import ask_propagation, propagation, states_by_resolver
from tests.support.system import System
from tests.support.waiting import eventually

PATIENCE = 60
RECOVERED_WITHIN = 1.0
"""Seconds after a resolver goes on in which a wait for it ends: what callers are promised, so that a clock judges it."""


async def test_a_frozen_resolver_is_named_as_lagging_and_the_wait_ends_with_its_recovery(system: System) -> None:
    key = await system.new_key()
    frozen = system.services.data_planes[1]
    await system.put(key, "http://before")
    assert (await propagation(system, key.tenant, 1, wait=PATIENCE))["live_everywhere"]
    await frozen.freeze()
    try:
        await system.put(key, "http://meanwhile")
        waiting = asyncio.create_task(propagation(system, key.tenant, 2, wait=PATIENCE))
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


async def test_a_resolver_that_stays_frozen_counts_as_gone_until_it_reports_again(system: System) -> None:
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


async def test_while_kafka_stands_still_changes_are_committed_and_where_they_are_is_said_to_be_unknown(
    system: System,
) -> None:
    key = await system.new_key()
    await system.put(key, "http://before")
    assert (await propagation(system, key.tenant, 1, wait=PATIENCE))["live_everywhere"]
    await system.stack.kafka.freeze()
    try:
        await system.put(key, "http://meanwhile")

        async def is_unknown() -> Any:
            answer = await ask_propagation(system, key.tenant, 2)
            return answer if answer.status_code == 503 else None

        problem = (await eventually(is_unknown, within=30)).json()
        assert problem["type"] == "urn:traffic-manager:problem:propagation-unknown"
        assert "not known to be in Kafka yet" in problem["detail"]
        waiting = asyncio.create_task(propagation(system, key.tenant, 2, wait=PATIENCE))
    finally:
        await system.stack.kafka.thaw()
    found = await waiting
    assert found["live_everywhere"], found
