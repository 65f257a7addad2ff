"""Crashes of the control plane and of the primary lose no committed change."""

import pytest

from tests.support.system import System
from tests.support.waiting import eventually


async def test_event_arrives_once_after_a_kill_between_commit_and_publish(system: System) -> None:
    key = await system.new_key()
    await system.stack.kafka.freeze()
    try:
        await system.put(key, "http://committed-but-not-published")
        await system.services.control_plane.kill()
    finally:
        await system.stack.kafka.thaw()
    await system.services.control_plane.start()
    await system.until_resolved(key, "http://committed-but-not-published", within=30)
    after = await system.put(key, "http://written-after-the-crash")
    await system.until_resolved(key, "http://written-after-the-crash")
    events = await system.until_audited(key, 2)
    assert [event["revision"] for event in events] == [after.json()["revision"], 1]


@pytest.mark.parametrize("fault", ["kill", "freeze"])
async def test_another_relay_takes_over_from_a_killed_or_frozen_one(system: System, fault: str) -> None:
    second = system.services.add_instance("control_plane", f"control-plane-second-{fault}")
    await second.start()
    try:
        key = await system.new_key()
        await getattr(system.services.control_plane, fault)()
        path = system.control_path(key).removeprefix(system.control_url)
        answer = await system.http.put(f"{second.urls[0]}{path}", json={"url": "http://by-the-second"})
        assert answer.status_code == 201
        await system.until_resolved(key, "http://by-the-second", within=15)
    finally:
        await system.services.control_plane.start()
        await second.stop()


async def test_write_is_a_503_problem_while_the_primary_is_down_and_succeeds_after(system: System) -> None:
    key = await system.new_key()
    await system.put(key, "http://before")
    await system.until_resolved(key, "http://before")
    await system.stack.postgres.stop()
    try:
        refused = await system.http.put(system.control_path(key), json={"url": "http://while-away"})
        assert refused.status_code == 503
        assert "retry-after" in refused.headers
        assert refused.headers["content-type"] == "application/problem+json"
        for resolver in system.resolver_urls:
            assert await system.resolved_url(resolver, key) == "http://before"
    finally:
        await system.stack.postgres.start()

    async def accepted() -> bool:
        return (await system.http.put(system.control_path(key), json={"url": "http://after"})).status_code == 200

    await eventually(accepted, within=30)
    await system.until_resolved(key, "http://after", within=30)
