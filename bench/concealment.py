"""Whether the response time reveals that another tenant's route exists.

Run on an idle local stack (`make up`): `.venv/bin/python -m bench.concealment [requests of each kind]`. One caller
requests in turn another tenant's route, a route of a tenant that does not exist, and a route of its own tenant that
does not exist. The first and the second row must be indistinguishable.
"""

import asyncio
import statistics
import sys
import time
from collections.abc import Callable

import httpx2
from rich.console import Console
from rich.table import Table

from deploy.local.settings import DEFAULT_STATE
from examples.local_urls import LocalUrls

OWN, OTHERS, NEVER = "bench-own", "bench-others", "bench-never-made"
PROBLEM_TYPES = {"another tenant's": OTHERS, "of no tenant": NEVER, "absent, one's own": OWN}
ROUTE = "payments/prod/v1"
Times = dict[str, list[float]]


async def main(requests: int) -> None:
    """Measure both services, print the table."""
    urls = LocalUrls.read(DEFAULT_STATE)
    key = await _prepare(urls)
    async with httpx2.AsyncClient(trust_env=False, timeout=10, headers={"Authorization": f"Bearer {key}"}) as http:
        resolver, control = f"{urls.data_planes[0]}/api/v1/resolve", f"{urls.control_plane}/api/v1/tenants"
        rows = {
            "resolve": await _measure(http, requests, lambda tenant: f"{resolver}/{tenant}/{ROUTE}"),
            "show in the control plane": await _measure(
                http, requests, lambda tenant: f"{control}/{tenant}/routes/{ROUTE}"
            ),
        }
    Console().print(_table(rows))


async def _prepare(urls: LocalUrls) -> str:
    base = f"{urls.control_plane}/api/v1/tenants/"
    async with httpx2.AsyncClient(trust_env=False, base_url=base, timeout=10, headers=urls.admin) as http:
        for tenant in (OWN, OTHERS):
            (await http.put(tenant)).raise_for_status()
        (await http.put(f"{OTHERS}/routes/{ROUTE}", json={"url": "http://others"})).raise_for_status()
        made = await http.post(f"{OWN}/access-keys", json={"subject": "bench", "role": "viewer"})
        await asyncio.sleep(2)  # until the resolvers have applied it
        key: str = made.raise_for_status().json()["key"]
        return key


async def _measure(http: httpx2.AsyncClient, requests: int, path_of: Callable[[str], str]) -> Times:
    times: Times = {kind: [] for kind in PROBLEM_TYPES}
    for number in range(requests + 100):
        for kind, tenant in PROBLEM_TYPES.items():
            started = time.perf_counter()
            answer = await http.get(path_of(tenant))
            took = time.perf_counter() - started
            if answer.status_code != 404:
                raise ValueError(f"{kind}: {answer.status_code} {answer.text}")
            if number >= 100:
                times[kind].append(took * 1e6)
    return times


def _table(rows: dict[str, Times]) -> Table:
    table = Table("asked", "route", "p50 µs", "p90 µs", "p50 to 'of no tenant'", title="All of these are 404")
    for asked, times in rows.items():
        base = statistics.median(times["of no tenant"])
        for kind, values in times.items():
            median, p90 = statistics.median(values), statistics.quantiles(values, n=10)[-1]
            table.add_row(asked, kind, f"{median:.0f}", f"{p90:.0f}", f"{median / base:.3f}")
    return table


if __name__ == "__main__":
    asyncio.run(main(int(sys.argv[1]) if len(sys.argv) > 1 else 2000))
