"""Commit to applied: how long a change takes to reach each resolver instance, one change at a time.

Run on an idle local stack (`make up`): `.venv/bin/python -m bench.propagation [changes]`. Two measurements:

- In the process: the resolvers' own `tm_propagation_seconds`, over all changes, with nobody polling. It runs from the
  commit's time on the primary to the moment the value is in both caches. A percentile is read off the histogram, so it
  is given as the edge it lies under, with the share that does.
- From outside: a tenth as many changes, each polled over HTTP until an instance answers with it, from the moment the
  writer had its answer. This includes the round trips of the poll.
"""

import asyncio
import re
import sys
import time

import httpx2
from rich.console import Console
from rich.table import Table

from deploy.local.settings import DEFAULT_STATE
from examples.local_urls import LocalUrls

TENANT = "bench-propagation"
ROUTE = "service/prod/v1"
DEADLINE = 10.0
PAUSE = 0.01

Buckets = dict[float, float]


async def main(changes: int) -> None:
    """Make the changes and print both tables."""
    urls = LocalUrls.read(DEFAULT_STATE)
    console = Console()
    async with httpx2.AsyncClient(timeout=DEADLINE, headers=urls.admin) as http:
        await http.put(f"{urls.control_plane}/api/v1/tenants/{TENANT}")
        await _change_and_wait(http, urls)
        before = {each: await _buckets(http, each) for each in urls.data_planes}
        for _ in range(changes):
            await _change(http, urls)
            await asyncio.sleep(PAUSE)
        await _change_and_wait(http, urls)
        after = {each: await _buckets(http, each) for each in urls.data_planes}
        polled = [await _change_and_wait(http, urls) for _ in range(changes // 10)]
    console.print(_in_process(before, after))
    console.print(_from_outside(urls, polled))


async def _change(http: httpx2.AsyncClient, urls: LocalUrls) -> tuple[str, float]:
    target = f"http://{TENANT}/{time.time_ns()}"
    answer = await http.put(f"{urls.control_plane}/api/v1/tenants/{TENANT}/routes/{ROUTE}", json={"url": target})
    answer.raise_for_status()
    return target, time.perf_counter()


async def _change_and_wait(http: httpx2.AsyncClient, urls: LocalUrls) -> list[float]:
    """Milliseconds from the writer's answer to each instance's first answer with the change."""
    target, answered = await _change(http, urls)
    async with asyncio.TaskGroup() as group:
        tasks = [group.create_task(_until(http, each, target)) for each in urls.data_planes]
    return [max(0.0, task.result() - answered) * 1000 for task in tasks]


async def _until(http: httpx2.AsyncClient, instance: str, target: str) -> float:
    async with asyncio.timeout(DEADLINE):
        while True:
            answer = await http.get(f"{instance}/api/v1/resolve/{TENANT}/{ROUTE}")
            if answer.status_code == 200 and answer.json()["url"] == target:
                return time.perf_counter()


async def _buckets(http: httpx2.AsyncClient, instance: str) -> Buckets:
    text = (await http.get(f"{instance}/metrics")).text
    found = re.findall(r'tm_propagation_seconds_bucket\{le="([^"]+)"\} (\S+)', text)
    return {float(edge): float(count) for edge, count in found}


def _in_process(before: dict[str, Buckets], after: dict[str, Buckets]) -> Table:
    table = Table(
        "instance", "changes", "p50", "p99", "within 5 ms", "within 25 ms", title="Commit to applied, in the process"
    )
    for instance, buckets in after.items():
        counts = {edge: count - before[instance].get(edge, 0.0) for edge, count in buckets.items()}
        total = counts[float("inf")]
        table.add_row(
            instance,
            f"{total:.0f}",
            *(f"<= {_edge(counts, share) * 1000:g} ms" for share in (0.5, 0.99)),
            *(f"{counts[edge] / total:.1%}" for edge in (0.005, 0.025)),
        )
    return table


def _edge(counts: Buckets, share: float) -> float:
    return next(edge for edge, count in sorted(counts.items()) if count >= share * counts[float("inf")])


def _from_outside(urls: LocalUrls, polled: list[list[float]]) -> Table:
    table = Table(
        "instance", "changes", "p50 ms", "p99 ms", title="Writer's answer to first resolve with it, over HTTP"
    )
    for instance, values in zip(urls.data_planes, zip(*polled, strict=True), strict=True):
        ordered = sorted(values)
        table.add_row(
            instance, str(len(ordered)), f"{ordered[len(ordered) // 2]:.1f}", f"{ordered[int(len(ordered) * 0.99)]:.1f}"
        )
    return table


if __name__ == "__main__":
    asyncio.run(main(int(sys.argv[1]) if len(sys.argv) > 1 else 1000))
