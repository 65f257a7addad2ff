"""The effect of 2,000 idle watch clients on the latency of resolve requests.

Run on an idle local stack (`make up`), with wrk installed: `.venv/bin/python -m bench.watchers [watchers] [seconds per
run]`. Two instances with the same settings, one of them with watch clients; 64 connections resolve 1,000 random
routes, alternating between the instances, and the median round is shown. Goal: the p99 of the watched one is at most 1.2 times the
other's.
"""

import asyncio
import statistics
import sys
from asyncio.subprocess import PIPE

import httpx2
from rich.console import Console
from rich.table import Table

from bench import wrk
from bench.layers import ROUTES, TENANT
from deploy.local.services import Services
from deploy.local.settings import DEFAULT_STATE
from deploy.local.stack import open_stack
from examples.local_urls import LocalUrls

ROUNDS = 5
NAMES = ("no watches", "watched")


async def main(watchers: int, seconds: int) -> None:
    """Load both in turn, and print the table."""
    urls = LocalUrls.read(DEFAULT_STATE)
    await _write_routes(urls)
    services = Services(open_stack(DEFAULT_STATE), DEFAULT_STATE)
    instances = [services.add_instance("data_plane", f"bench-{name.replace(' ', '-')}") for name in NAMES]
    loads: list[list[wrk.Load]] = [[], []]
    try:
        for each in instances:
            await each.start()
        watching = Watching(instances[1].urls[0], watchers)
        await watching.begin(urls.admin_key)
        for _ in range(ROUNDS):
            for instance, measured in zip(instances, loads, strict=True):
                measured.append(await _measure(instance.urls[0], seconds, urls.admin_key))
        remaining = await watching.end()
    finally:
        for each in instances:
            await each.stop()
    Console().print(_table(loads), f"{remaining} of {watchers} watchers were still there at the end.")


async def _measure(url: str, seconds: int, key: str) -> wrk.Load:
    await asyncio.to_thread(wrk.drive, url, routes=ROUTES, seconds=1, key=key)
    return await asyncio.to_thread(wrk.drive, url, routes=ROUTES, seconds=seconds, key=key)


class Watching:
    """The watchers, in a process of their own."""

    def __init__(self, url: str, count: int) -> None:
        self._command = (sys.executable, "-m", "bench.idle_watchers", url, TENANT, str(count))

    async def begin(self, key: str) -> None:
        """Return once all have received their snapshot."""
        self._process = await asyncio.create_subprocess_exec(*self._command, stdin=PIPE, stdout=PIPE)
        await self._ask(key)

    async def end(self) -> str:
        """The number of clients that were still connected."""
        remaining = await self._ask("enough")
        await self._process.wait()
        return remaining

    async def _ask(self, line: str) -> str:
        to, back = self._process.stdin, self._process.stdout
        if to is None or back is None:
            raise RuntimeError("the watchers' process has no pipes")
        to.write(f"{line}\n".encode())
        return (await back.readline()).decode().strip()


async def _write_routes(urls: LocalUrls) -> None:
    tenant = f"{urls.control_plane}/api/v1/tenants/{TENANT}"
    names = [f"service-{number}" for number in range(ROUTES)]
    async with httpx2.AsyncClient(trust_env=False, timeout=30, headers=urls.admin) as http:
        (await http.put(tenant)).raise_for_status()
        for start in range(0, ROUTES, 500):
            changes = [
                {"op": "put", "service": each, "env": "prod", "version": "v1", "url": f"http://{each}.bench:80"}
                for each in names[start : start + 500]
            ]
            (await http.post(f"{tenant}/changes", json={"changes": changes})).raise_for_status()


def _table(loads: list[list[wrk.Load]]) -> Table:
    table = Table("instance", "requests/s", "p50 ms", "p99 ms", "p99 ratio", "wrong")
    alone = statistics.median(each.p99_ms for each in loads[0])
    for name, rounds in zip(NAMES, loads, strict=True):
        rps, p50, p99 = (
            statistics.median(getattr(each, field) for each in rounds) for field in ("rps", "p50_ms", "p99_ms")
        )
        wrong = sum(each.errors for each in rounds)
        table.add_row(name, f"{rps:,.0f}", f"{p50:.2f}", f"{p99:.2f}", f"{p99 / alone:.2f}", str(wrong))
    return table


if __name__ == "__main__":
    if not wrk.is_installed():
        sys.exit("wrk is not installed (Debian: apt-get install wrk)")
    given = [int(each) for each in sys.argv[1:]]
    asyncio.run(main(*given, *(2000, 5)[len(given) :]))
