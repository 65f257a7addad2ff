"""Access keys across the services: creation, rotation and revocation during faults, and no secret in any log."""

import asyncio
from collections.abc import Awaitable, Callable
from functools import partial
from typing import Any

from tests.support.secrets_in_logs import files_with_secrets
from tests.support.system import System
from tests.support.waiting import eventually

WITHIN_SECONDS = 2.0


async def _new_key(system: System, tenant: str, role: str) -> tuple[str, str]:
    url = f"{system.control_url}/api/v1/tenants/{tenant}/access-keys"
    answer = await system.http.post(url, json={"subject": "shop", "role": role})
    assert answer.status_code == 201, answer.text
    assert answer.headers["cache-control"] == "no-store"
    made: dict[str, Any] = answer.json()
    return f"{url}/{made['access_key']['key_id']}", made["key"]


def _statuses_with(system: System, tenant: str, key: str) -> Callable[[], Awaitable[list[int]]]:
    """Reads the status that each resolver and the audit consumer return for this key."""
    paths = [f"{each}/api/v1/resolve/{tenant}/payments/prod/v1" for each in system.resolver_urls]
    paths.append(f"{system.services.audit_consumer.urls[0]}/api/v1/audit/recent")

    async def statuses() -> list[int]:
        headers = {"Authorization": f"Bearer {key}"}
        return [(await system.http.get(path, headers=headers)).status_code for path in paths]

    return statuses


async def _becomes(statuses: Callable[[], Awaitable[list[int]]], expected: list[int], *, within: float = 15.0) -> None:
    async def equal() -> bool:
        assert await statuses() == expected
        return True

    await eventually(equal, within=within)


async def test_revoked_key_is_rejected_by_every_service_while_postgres_is_down(system: System) -> None:
    tenant = await system.new_tenant()
    path, key = await _new_key(system, tenant, "viewer")
    statuses = _statuses_with(system, tenant, key)
    await _becomes(statuses, [404, 404, 200])
    try:
        (await system.http.delete(path)).raise_for_status()
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(system.stack.postgres.kill())
            await _becomes(statuses, [401, 401, 401], within=WITHIN_SECONDS)
    finally:
        await system.stack.postgres.start()
    await eventually(lambda: _is_ready(system), within=30)
    own = await system.http.get(f"{system.control_url}/api/v1/tenants", headers={"Authorization": f"Bearer {key}"})
    assert own.status_code == 401


async def test_both_secrets_are_valid_after_a_rotation_until_the_grace_period_ends(system: System) -> None:
    tenant = await system.new_tenant()
    path, older = await _new_key(system, tenant, "viewer")
    answer = await system.http.post(f"{path}/rotate", json={"grace_seconds": 0})
    newer = answer.json()["key"]
    await _becomes(_statuses_with(system, tenant, newer), [404, 404, 200])
    await _becomes(_statuses_with(system, tenant, older), [401, 401, 401])
    newest = (await system.http.post(f"{path}/rotate")).json()["key"]
    await _becomes(_statuses_with(system, tenant, newest), [404, 404, 200])
    assert await _statuses_with(system, tenant, newer)() == [404, 404, 200]


async def test_new_key_is_accepted_after_the_broker_was_killed(system: System) -> None:
    tenant = await system.new_tenant()
    await system.stack.kafka.kill()
    try:
        _, key = await _new_key(system, tenant, "viewer")
        await eventually(partial(_is_key_feed_down, system), within=30)
    finally:
        await system.stack.kafka.start()
    await _becomes(_statuses_with(system, tenant, key), [404, 404, 200], within=30)


async def test_no_log_contains_a_secret(system: System) -> None:
    tenant = await system.new_tenant()
    _, key = await _new_key(system, tenant, "editor")
    for wrong in (key, key[:-1], f"{key}x"):
        await system.http.get(f"{system.control_url}/nowhere", headers={"Authorization": f"Bearer {wrong}"})
    assert not files_with_secrets(system.state.logs, system.stack.state.logs)


async def _is_ready(system: System) -> bool:
    return (await system.http.get(f"{system.control_url}/health/ready")).status_code == 200


async def _is_key_feed_down(system: System) -> bool:
    """Whether every resolver and the audit consumer report that their key feed is down."""
    reports = [
        (await system.http.get(f"{each}/health/ready")).json() for each in (*system.resolver_urls, system.audit_url)
    ]
    return all("access" in each["notes"] for each in reports)
