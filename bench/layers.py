"""The throughput and latency of one resolver instance by the layer that answers, compared with a bare ASGI constant.

Run on an idle local stack (`make up`), with wrk installed: `.venv/bin/python -m bench.layers [seconds per run]`.
64 connections, 1,000 routes at random. The layers below L1 are measured by instances without the layers above them.
Rounds are interleaved and the median round is shown, so that a drift of the machine affects every row.
"""

import asyncio
import statistics
import sys
from collections.abc import Mapping
from dataclasses import dataclass

import httpx2
from rich.console import Console
from rich.table import Table

from bench import wrk
from deploy.local.server import Server
from deploy.local.services import Services
from deploy.local.settings import DEFAULT_STATE
from deploy.local.stack import open_stack

ROUTES = 1000
ROUNDS = 3
TENANT = "bench-layers"
NO_REDIS = "redis://127.0.0.1:1/0"
"""Nothing listens there: the circuit breaker keeps Redis out of the way."""


@dataclass(frozen=True, slots=True, eq=False)
class Contender:
    """One row: an instance and the settings that confine it to a layer."""

    name: str
    module: str
    settings: tuple[tuple[str, str], ...] = ()


CONTENDERS = (
    Contender("bare ASGI constant", "bench.constant"),
    Contender("L1", "data_plane"),
    Contender("Redis", "data_plane", (("TM_L1_ENTRIES", "1"),)),
    Contender("replica", "data_plane", (("TM_L1_ENTRIES", "1"), ("TM_REDIS_URL", NO_REDIS))),
)


async def main(seconds: int) -> None:
    """Start the contenders one after the other, load them in turn, print the table."""
    stack = open_stack(DEFAULT_STATE)
    services = Services(stack, DEFAULT_STATE)
    key = services.admin_key.text()
    await _write_routes(services.control_plane.urls[0], key)
    instances = {each: _instance(services, each) for each in CONTENDERS}
    loads: dict[Contender, list[wrk.Load]] = {each: [] for each in CONTENDERS}
    for _ in range(ROUNDS):
        for contender, instance in instances.items():
            loads[contender].append(await _measure(instance, seconds, key))
    Console().print(_table(loads))


def _instance(services: Services, contender: Contender) -> Server:
    name = f"bench-{contender.name.lower().replace(' ', '-')}"
    return services.add_instance(contender.module, name, dict(contender.settings))


async def _measure(instance: Server, seconds: int, key: str) -> wrk.Load:
    await instance.start()
    try:
        await asyncio.to_thread(wrk.drive, instance.urls[0], routes=ROUTES, seconds=1, key=key)
        return await asyncio.to_thread(wrk.drive, instance.urls[0], routes=ROUTES, seconds=seconds, key=key)
    finally:
        await instance.stop()


async def _write_routes(control_plane: str, key: str) -> None:
    admin = {"Authorization": f"Bearer {key}"}
    base = f"{control_plane}/api/v1/tenants/{TENANT}"
    async with httpx2.AsyncClient(trust_env=False, base_url=base, timeout=10, headers=admin) as http:
        (await http.put("")).raise_for_status()
        for number in range(ROUTES):
            path = f"/routes/service-{number}/prod/v1"
            (await http.put(path, json={"url": f"http://service-{number}.bench:80"})).raise_for_status()


def _table(loads: Mapping[Contender, list[wrk.Load]]) -> Table:
    base_rps, base_p99 = (_median(loads[CONTENDERS[0]], each) for each in ("rps", "p99_ms"))
    table = Table("layer", "requests/s", "p50 ms", "p99 ms", "rps ratio", "p99 ratio", "wrong")
    for contender, rounds in loads.items():
        rps, p50, p99 = (_median(rounds, each) for each in ("rps", "p50_ms", "p99_ms"))
        wrong = sum(each.errors for each in rounds)
        table.add_row(
            contender.name,
            f"{rps:,.0f}",
            f"{p50:.2f}",
            f"{p99:.2f}",
            f"{rps / base_rps:.3f}",
            f"{p99 / base_p99:.2f}",
            str(wrong),
        )
    return table


def _median(rounds: list[wrk.Load], field: str) -> float:
    return float(statistics.median(getattr(each, field) for each in rounds))


if __name__ == "__main__":
    if not wrk.is_installed():
        sys.exit("wrk is not installed (Debian: apt-get install wrk)")
    asyncio.run(main(int(sys.argv[1]) if len(sys.argv) > 1 else 5))
