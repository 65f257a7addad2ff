"""The effect of a tenant that writes at 20 times its quota on the latency of other tenants' writes.

Run on an idle local stack (`make up`): `.venv/bin/python -m bench.fairness [seconds per run]`. Four quiet tenants write
at three quarters of their quota, in an open loop. At the same time a noisy one writes nothing, its quota, and 20 times its
quota; the last row is the same without limits. Rounds are interleaved and the median round is shown. Goal: the p99 of
the quiet ones at 20 times is at most 1.2 times the one at the quota.
"""

import asyncio
import statistics
import sys
from asyncio.subprocess import PIPE
from collections.abc import Mapping
from dataclasses import dataclass, field

import httpx2
from rich.console import Console
from rich.table import Table

from bench.paced import Answer, write
from deploy.local.server import Server
from deploy.local.services import Services
from deploy.local.settings import DEFAULT_STATE
from deploy.local.stack import open_stack

QUOTA = 20
QUIET = tuple(f"bench-quiet-{number}" for number in range(4))
NOISY = "bench-noisy"
ROUNDS = 5
LIMITED = {"TM_TENANT_WRITES_PER_SECOND": str(QUOTA), "TM_TENANT_WRITE_BURST": str(QUOTA)}
UNLIMITED = {"TM_TENANT_WRITES_PER_SECOND": "0", "TM_CREDENTIAL_WRITES_PER_SECOND": "0"}


@dataclass(frozen=True, slots=True)
class Case:
    """One row: what the noisy tenant writes, as a multiple of its quota, and the settings."""

    name: str
    times: int
    settings: Mapping[str, str] = field(hash=False)


CASES = (
    Case("quiet tenants alone", 0, LIMITED),
    Case("noisy at its quota", 1, LIMITED),
    Case("noisy at 20x", 20, LIMITED),
    Case("noisy at 20x, no limits", 20, UNLIMITED),
)


@dataclass(frozen=True, slots=True)
class Round:
    """The quiet tenants' latency in milliseconds, how many of their writes failed, and the responses to the noisy one."""

    p50: float
    p99: float
    failed: int
    noisy: str


async def main(seconds: float) -> None:
    """Run every case in turn, and print the table."""
    services = Services(open_stack(DEFAULT_STATE), DEFAULT_STATE)
    keys = await _prepare(services)
    limited = services.add_instance("control_plane", "bench-fairness-limited", LIMITED)
    unlimited = services.add_instance("control_plane", "bench-fairness-unlimited", UNLIMITED)
    rounds: dict[Case, list[Round]] = {each: [] for each in CASES}
    try:
        for instance in (limited, unlimited):
            await instance.start()
            await _write_quietly(instance, keys, 2)
        for _ in range(ROUNDS):
            for case in CASES:
                instance = limited if case.settings is LIMITED else unlimited
                rounds[case].append(await _measure(instance, keys, case, seconds))
    finally:
        await limited.stop()
        await unlimited.stop()
    Console().print(_table(rounds))


async def _prepare(services: Services) -> Mapping[str, str]:
    """An access key for each tenant."""
    keys = {}
    base = f"{services.control_plane.urls[0]}/api/v1/tenants/"
    admin = {"Authorization": f"Bearer {services.admin_key.text()}"}
    async with httpx2.AsyncClient(trust_env=False, base_url=base, timeout=10, headers=admin) as http:
        for tenant in (*QUIET, NOISY):
            (await http.put(tenant)).raise_for_status()
            made = await http.post(f"{tenant}/access-keys", json={"subject": "bench", "role": "editor"})
            keys[tenant] = made.raise_for_status().json()["key"]
    return keys


async def _measure(instance: Server, keys: Mapping[str, str], case: Case, seconds: float) -> Round:
    rate = str(case.times * QUOTA)
    command = (sys.executable, "-m", "bench.paced", instance.urls[0], NOISY, keys[NOISY], rate, str(seconds + 2))
    noise = await asyncio.create_subprocess_exec(*command, stdout=PIPE) if case.times else None
    await asyncio.sleep(1)  # for the noise to begin, and its bucket to be empty
    answers = await _write_quietly(instance, keys, seconds)
    responses = (await noise.communicate())[0].decode().strip() if noise else "-"
    ordered = sorted(each.milliseconds for each in answers)
    failed = sum(each.status >= 300 for each in answers)
    return Round(ordered[len(ordered) // 2], ordered[int(len(ordered) * 0.99)], failed, responses)


async def _write_quietly(instance: Server, keys: Mapping[str, str], seconds: float) -> list[Answer]:
    async with asyncio.TaskGroup() as tasks:
        writing = [
            tasks.create_task(write(instance.urls[0], each, keys[each], QUOTA * 0.75, seconds)) for each in QUIET
        ]
    return [answer for each in writing for answer in each.result()]


def _table(rounds: Mapping[Case, list[Round]]) -> Table:
    table = Table("case", "p50 ms", "p99 ms", "p99 to alone", "p99 to quota", "failed", "noisy: status:count")
    alone, quota = (statistics.median(each.p99 for each in rounds[case]) for case in CASES[:2])
    for case, measured in rounds.items():
        p50, p99 = (statistics.median(getattr(each, field) for each in measured) for field in ("p50", "p99"))
        failed = sum(each.failed for each in measured)
        row = (f"{p50:.2f}", f"{p99:.2f}", f"{p99 / alone:.2f}", f"{p99 / quota:.2f}", str(failed), measured[-1].noisy)
        table.add_row(case.name, *row)
    return table


if __name__ == "__main__":
    asyncio.run(main(float(sys.argv[1]) if len(sys.argv) > 1 else 8))
