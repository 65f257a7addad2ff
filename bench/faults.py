"""Resolve requests while the servers behind the resolver are killed, frozen, flapping or lagging.

Run on an idle local stack (`make up`): `.venv/bin/python -m bench.faults [seconds per fault] [routes] [resolves per
second]`. Two instances with the default TTLs; a writer changes 20 routes a second, drawn as the readers draw theirs:
by Zipf's law. Every answer is compared with the history of commits: a route that was known is answered; no answer had been
wrong for longer than its bound, or than its TTL unless it is marked stale; no instance returns an older revision than before. Answers whose bound is not
known are counted. A fault of more than 60 s shows the effect of the TTLs. Exit code 1 if a guarantee was violated.
"""

import asyncio
import statistics
import sys

import httpx2
from rich.console import Console
from rich.table import Table

from bench.commit_history import Judge, Promise
from bench.fault_cases import CASES
from bench.fault_run import FaultRun
from deploy.local.services import Services
from deploy.local.settings import DEFAULT_STATE
from deploy.local.stack import open_stack
from examples.local_urls import LocalUrls

TENANT = "bench-faults"
CALM_SECONDS = 10.0


async def main(seconds: float, routes: int, rate: float) -> int:
    """Cause each fault in turn, and print the table. Returns the number of violations."""
    urls = LocalUrls.read(DEFAULT_STATE)
    stack = open_stack(DEFAULT_STATE)
    services = Services(stack, DEFAULT_STATE)
    instances = [services.add_instance("data_plane", f"bench-faults-{number}") for number in (1, 2)]
    console, table = Console(width=150), _new_table()
    broken: list[str] = []
    try:
        for each in instances:
            await each.start()
        base = f"{urls.control_plane}/api/v1/tenants/{TENANT}"
        async with httpx2.AsyncClient(trust_env=False, base_url=base, timeout=10, headers=urls.admin) as control:
            (await control.put("")).raise_for_status()
            addresses = [each.urls[0] for each in instances]
            run = FaultRun(control, addresses, tenant=TENANT, key=urls.admin_key, routes=routes, promise=Promise())
            await run.prepare()
            async with run.going_on(rate) as judge:
                await asyncio.sleep(CALM_SECONDS)
            _add_row(table, "all is well", judge, await run.recover())
            broken += judge.broken
            for case in CASES:
                console.print(f"{case} …")
                async with run.going_on(rate) as judge:
                    await case.happen(stack, seconds)
                _add_row(table, str(case), judge, await run.recover())
                broken += judge.broken
    finally:
        for each in instances:
            await each.stop()
    console.print(table)
    for complaint in broken[:50]:
        console.print(complaint)
    return len(broken)


def _new_table() -> Table:
    counts = ("answers", "503 or none", "stale", "bound unknown", "were wrong")
    return Table("while", *counts, "longest s", "broken", "p50 ms", "p99 ms", "recovered s")


def _add_row(table: Table, name: str, judge: Judge, recovered: float) -> None:
    quantiles = statistics.quantiles(judge.seconds, n=100)
    refused = sum(count for status, count in judge.statuses.items() if status not in (200, 404))
    counts = (judge.statuses.total(), refused, judge.stale, judge.unknown, judge.wrong)
    table.add_row(
        name,
        *(f"{each:,}" for each in counts),
        f"{judge.longest_wrong:.3f}",
        str(len(judge.broken)),
        f"{1000 * quantiles[49]:.1f}",
        f"{1000 * quantiles[98]:.1f}",
        f"{recovered:.2f}",
    )


if __name__ == "__main__":
    given = [float(each) for each in sys.argv[1:]]
    seconds, routes, rate = (*given, *(75.0, 10_000.0, 500.0)[len(given) :])
    sys.exit(1 if asyncio.run(main(seconds, int(routes), rate)) else 0)
