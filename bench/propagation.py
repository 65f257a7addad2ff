"""Propagation: the time from the commit of a change until each resolver instance has applied it, one change at a time.

Run on an idle local stack (`make up`): `.venv/bin/python -m bench.propagation [changes]`. Two measurements:

- Inside: the time between two lines of the services' logs, over all changes, without polling: "changes committed" of
  the control plane, written when PostgreSQL has acknowledged the commit, and "changes applied" of a resolver, written
  when the value is in its own cache and in Redis. All processes share this host's clock.
- From outside: a tenth as many changes, each polled over HTTP until an instance answers with it, from the moment of the
  write's response. This includes the round trips of the poll.
"""

import asyncio
import json
import sys
import time
from datetime import UTC, datetime

import httpx2
from rich.console import Console
from rich.table import Table

from deploy.local.services import Services
from deploy.local.settings import DEFAULT_STATE
from deploy.local.stack import open_stack
from examples.local_urls import LocalUrls

TENANT = "bench-propagation"
ROUTE = "service/prod/v1"
DEADLINE = 10.0
PAUSE = 0.01

Moments = dict[int, datetime]


async def main(changes: int) -> None:
    """Make the changes and print both tables."""
    urls = LocalUrls.read(DEFAULT_STATE)
    services = Services(open_stack(DEFAULT_STATE), DEFAULT_STATE)
    console = Console()
    async with httpx2.AsyncClient(trust_env=False, timeout=DEADLINE, headers=urls.admin) as http:
        await http.put(f"{urls.control_plane}/api/v1/tenants/{TENANT}")
        await _change_and_wait(http, urls)
        started = datetime.now(UTC)
        for _ in range(changes):
            await _change(http, urls)
            await asyncio.sleep(PAUSE)
        await _change_and_wait(http, urls)
        ended = datetime.now(UTC)
        polled = [await _change_and_wait(http, urls) for _ in range(changes // 10)]
    committed = _logged(services.control_plane.name, "changes committed", started, ended)
    applied = {each.name: _logged(each.name, "changes applied", started, ended) for each in services.data_planes}
    console.print(_inside(committed, applied))
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


def _logged(name: str, event: str, started: datetime, ended: datetime) -> Moments:
    """When each revision of the tenant was logged with this event, between the two moments."""
    moments: Moments = {}
    with (DEFAULT_STATE / "logs" / f"{name}.log").open() as log:
        for line in log:
            if TENANT in line and event in line:
                record = json.loads(line)
                moment = datetime.fromisoformat(record["timestamp"])
                if started <= moment <= ended:
                    moments[record["revision"]] = moment
    return moments


def _inside(committed: Moments, applied: dict[str, Moments]) -> Table:
    table = Table("instance", "changes", "p50 ms", "p99 ms", "max ms", title="Commit to applied, by the services' logs")
    for name, moments in applied.items():
        both = committed.keys() & moments.keys()
        took = sorted((moments[each] - committed[each]).total_seconds() * 1000 for each in both)
        table.add_row(name, str(len(took)), *(f"{_percentile(took, share):.1f}" for share in (0.5, 0.99, 1.0)))
    return table


def _percentile(ordered: list[float], share: float) -> float:
    return ordered[min(len(ordered) - 1, int(len(ordered) * share))]


def _from_outside(urls: LocalUrls, polled: list[list[float]]) -> Table:
    table = Table(
        "instance", "changes", "p50 ms", "p99 ms", title="Writer's answer to first resolve with it, over HTTP"
    )
    for instance, values in zip(urls.data_planes, zip(*polled, strict=True), strict=True):
        ordered = sorted(values)
        table.add_row(instance, str(len(ordered)), *(f"{_percentile(ordered, share):.1f}" for share in (0.5, 0.99)))
    return table


if __name__ == "__main__":
    asyncio.run(main(int(sys.argv[1]) if len(sys.argv) > 1 else 1000))
