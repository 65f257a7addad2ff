"""A fleet that starts with empty caches and an empty Redis, under three times its usual load for a minute.

Run on an idle local stack (`make up`): `.venv/bin/python -m bench.cold_fleet [seconds of the surge]`. It starts two
resolvers; the usual load is 500 requests per second, Zipf-distributed over 10,000 routes and as many that were never created.
It empties the local Redis twice. It prints the share of good answers (200 or 404) within 2 s, latencies, and the most queries
that each database worked on at the same time.
"""

import asyncio
import statistics
import sys
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import httpx2
from redis.asyncio import Redis
from rich.console import Console
from rich.table import Table

from bench.asking import Answer, ask, share_of_good, zipf
from bench.database_load import watching
from deploy.local.server import Server
from deploy.local.services import Services
from deploy.local.settings import DEFAULT_STATE
from deploy.local.stack import Stack, open_stack
from examples.local_urls import LocalUrls

TENANT = "bench-cold-fleet"
ROUTES, AT_ONCE = 10_000, 500
USUAL_RATE, SURGE = 500.0, 3
USUAL_SECONDS, AFTER_SECONDS = 10, 15


@dataclass(frozen=True, slots=True)
class Phase:
    """The result of one phase of the load."""

    name: str
    rate: float
    answers: Sequence[Answer]
    busiest: dict[str, int]


@dataclass(frozen=True, slots=True)
class Load:
    """The instances, the routes and the caller of the load."""

    stack: Stack
    fleet: Sequence[Server]
    keys: Sequence[str]
    authorization: str

    async def phase(self, name: str, rate: float, seconds: int) -> Phase:
        """Resolve at this rate for so long, and sample the databases meanwhile."""
        asked, urls = zipf(self.keys, int(rate * seconds), seed=len(name)), [each.urls[0] for each in self.fleet]
        databases = {"replica": self.stack.urls.replicas[0], "primary": self.stack.urls.postgres}
        async with watching(databases) as seen:
            answers = await ask(urls, asked, rate, authorization=self.authorization, connections=128)
        return Phase(name, rate, answers, {server: max(looks, default=0) for server, looks in seen.items()})


async def main(seconds: int) -> None:
    """Three phases, one row each, and how long the fleet took to recover."""
    stack = open_stack(DEFAULT_STATE)
    services = Services(stack, DEFAULT_STATE)
    admin = LocalUrls.read(DEFAULT_STATE).admin
    keys = await _write_routes(services.control_plane.urls[0], admin)
    fleet = [services.add_instance("data_plane", f"bench-cold-{each}", {"TM_WARMUP_SECONDS": "0"}) for each in (1, 2)]
    load = Load(stack, fleet, keys, admin["Authorization"])
    try:
        await _start_cold(stack, fleet)
        await load.phase("before", USUAL_RATE, USUAL_SECONDS)
        usual = await load.phase("as usual", USUAL_RATE, USUAL_SECONDS)
        await _start_cold(stack, fleet)
        surge = await load.phase(f"cold, {SURGE} times the load", SURGE * USUAL_RATE, seconds)
        after = await load.phase("as usual again", USUAL_RATE, AFTER_SECONDS)
    finally:
        for each in fleet:
            await each.stop()
    console = Console()
    console.print(_table([usual, surge, after]))
    console.print(f"99 % good again after {_recovered(after.answers)} s of the usual load")


async def _start_cold(stack: Stack, fleet: Sequence[Server]) -> None:
    for each in fleet:
        await each.stop()
        stack.state.snapshot(each.name).unlink(missing_ok=True)
        await each.start()
    redis = Redis.from_url(stack.urls.redis)
    await redis.flushall()
    await redis.aclose()


async def _write_routes(control_plane: str, admin: Mapping[str, str]) -> list[str]:
    """The routes, and for each one a key that was never created."""
    async with httpx2.AsyncClient(
        trust_env=False, base_url=f"{control_plane}/api/v1/tenants/{TENANT}", headers=admin, timeout=30
    ) as http:
        (await http.put("")).raise_for_status()
        for start in range(0, ROUTES, AT_ONCE):
            changes = [
                {"op": "put", "service": f"s{each}", "env": "prod", "version": "v1", "url": f"http://s{each}"}
                for each in range(start, start + AT_ONCE)
            ]
            answer = await http.post("/changes", json={"changes": changes, "reason": "bench"})
            answer.raise_for_status()
    return [f"{TENANT}/s{number}/prod/{version}" for number in range(ROUTES) for version in ("v1", "none")]


def _recovered(answers: Sequence[Answer]) -> int | None:
    """The first second after which every second was good; None if the last was not."""
    good = [share_of_good(answers, second, second + 1) >= 0.99 for second in range(AFTER_SECONDS)]
    return next((second for second in range(AFTER_SECONDS) if all(good[second:])), None)


def _table(phases: Sequence[Phase]) -> Table:
    table = Table("", "asked/s", "good", "p50 ms", "p99 ms", "not good", "queries at once: replica", "primary")
    for phase in phases:
        quantiles = statistics.quantiles([1000 * each.took for each in phase.answers], n=100)
        good = share_of_good(phase.answers, 0, float("inf"))
        table.add_row(
            phase.name,
            f"{phase.rate:,.0f}",
            f"{good:.2%}",
            f"{quantiles[49]:.1f}",
            f"{quantiles[98]:.1f}",
            _others(phase.answers),
            *(str(phase.busiest[server]) for server in ("replica", "primary")),
        )
    return table


def _others(answers: Sequence[Answer]) -> str:
    """The number of answers by other status; 0: no answer in time."""
    statuses = Counter(each.status for each in answers if each.status not in (200, 404))
    return " ".join(f"{status}:{count}" for status, count in sorted(statuses.items()))


if __name__ == "__main__":
    asyncio.run(main(int(sys.argv[1]) if len(sys.argv) > 1 else 60))
