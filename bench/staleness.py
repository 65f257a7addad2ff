"""The slack of `X-Staleness-Bound` without faults: bound minus true staleness, over HTTP.

Run on a local stack (`make up`): `.venv/bin/python -m bench.staleness [seconds]`. A writer changes one route of twenty
at random; every resolver resolves all of them continuously. The true staleness of an answer is computed from the
acknowledgement of the write, so it is a lower bound, and the slack an upper bound.
"""

import asyncio
import random
import statistics
import sys
import time

import httpx2

from deploy.local.settings import DEFAULT_STATE
from examples.local_urls import LocalUrls

TENANT = "bench-staleness"
ROUTES = 20


class Run:
    """One writer, one reader per resolver, and the slack of each answer in milliseconds."""

    def __init__(self, http: httpx2.AsyncClient, urls: LocalUrls) -> None:
        self._http = http
        self._urls = urls
        self._acknowledged: dict[int, list[float]] = {each: [] for each in range(ROUTES)}
        self.slack: list[float] = []
        self.unknown = 0
        self.exceeded = 0

    async def write(self) -> None:
        """Change a route, at most twenty times a second."""
        while True:
            route = random.randrange(ROUTES)
            url = f"http://write-{len(self._acknowledged[route])}"
            path = f"{self._urls.control_plane}/api/v1/tenants/{TENANT}/routes/s{route}/prod/v{id(self)}"
            (await self._http.put(path, json={"url": url})).raise_for_status()
            self._acknowledged[route].append(time.monotonic())
            await asyncio.sleep(0.05)

    async def ask(self, resolver: str) -> None:
        """Resolve a route continuously."""
        while True:
            route = random.randrange(ROUTES)
            asked = time.monotonic()
            answer = await self._http.get(f"{resolver}/api/v1/resolve/{TENANT}/s{route}/prod/v{id(self)}")
            if answer.status_code == 200:
                self._note(route, answer, asked)
            await asyncio.sleep(0.002)

    def _note(self, route: int, answer: httpx2.Response, asked: float) -> None:
        if answer.headers["X-Staleness-Bound"] == "unknown":
            self.unknown += 1
            return
        newer = self._acknowledged[route][int(answer.json()["url"].removeprefix("http://write-")) + 1 :]
        wrong_for = 1000 * max(0.0, asked - newer[0]) if newer else 0.0
        slack = int(answer.headers["X-Staleness-Bound"]) - wrong_for
        self.exceeded += slack < 0
        self.slack.append(slack)


async def main(seconds: float) -> None:
    """Run for so many seconds and print one line."""
    urls = LocalUrls.read(DEFAULT_STATE)
    async with httpx2.AsyncClient(trust_env=False, timeout=10, headers=urls.admin) as http:
        (await http.put(f"{urls.control_plane}/api/v1/tenants/{TENANT}")).raise_for_status()
        run = Run(http, urls)
        tasks = [asyncio.create_task(each) for each in (run.write(), *map(run.ask, urls.data_planes))]
        await asyncio.wait(tasks, timeout=seconds, return_when=asyncio.FIRST_EXCEPTION)
        for task in tasks:
            task.cancel()
    quantiles = statistics.quantiles(run.slack, n=100)
    sys.stdout.write(
        f"{len(run.slack)} answers: bound - staleness p50 {quantiles[49]:.0f} ms, p99 {quantiles[98]:.0f} ms; "
        f"{run.exceeded} exceeded, {run.unknown} unknown\n"
    )


if __name__ == "__main__":
    asyncio.run(main(float(sys.argv[1]) if len(sys.argv) > 1 else 20))
