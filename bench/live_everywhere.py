"""The time until a writer knows that its change is live everywhere, also after a resolver was frozen.

Run on an idle local stack (`make up`): `.venv/bin/python -m bench.live_everywhere [changes]`. Three measurements, each from
the moment that counts to the answer of `GET …/propagation?wait=`:

- Quiet: from the write's answer, one change every 1.1 s, so that each is reported at once.
- Busy: the same while the tenant is written to continuously: reports are then a second apart, and a change waits for its own.
- Frozen: from the moment that a resolver continues after it was frozen for 1 to 12 s, with a change made meanwhile.
"""

import asyncio
import statistics
import sys
import time

import httpx2

from deploy.local.services import Services
from deploy.local.settings import DEFAULT_STATE
from deploy.local.stack import open_stack
from examples.local_urls import LocalUrls

TENANT = "bench-live"
WAIT = 30.0
FROZEN_SECONDS = (1.0, 2.0, 4.0, 6.0, 8.0, 12.0)
QUIET_SECONDS, BUSY_SECONDS = 1.1, 0.02


class Run:
    """A tenant with the measured route and one for the background writes."""

    def __init__(self, http: httpx2.AsyncClient, urls: LocalUrls) -> None:
        self._http = http
        self._tenant = f"{urls.control_plane}/api/v1/tenants/{TENANT}"

    async def begin(self) -> None:
        """Create the tenant."""
        (await self._http.put(self._tenant)).raise_for_status()

    async def change(self, service: str = "measured") -> str:
        """Change the route; returns the revision."""
        url = f"http://{TENANT}/{time.time_ns()}"
        answer = await self._http.put(f"{self._tenant}/routes/{service}/prod/v1", json={"url": url})
        answer.raise_for_status()
        return answer.headers["x-revision"]

    async def until_live(self, revision: str) -> None:
        """Wait until it is live everywhere."""
        path = f"{self._tenant}/changes/{revision}/propagation"
        answer = (await self._http.get(path, params={"wait": WAIT})).raise_for_status()
        if not answer.json()["live_everywhere"]:
            raise SystemExit(f"not live everywhere within {WAIT:g} s: {answer.text}")

    async def timed(self, changes: int, pause: float) -> list[float]:
        """Seconds from each write's answer to the answer that it is live everywhere."""
        seconds = []
        for _ in range(changes):
            revision = await self.change()
            answered = time.perf_counter()
            await self.until_live(revision)
            seconds.append(time.perf_counter() - answered)
            await asyncio.sleep(pause)
        return seconds

    async def write_in_background(self) -> None:
        """Write continuously."""
        while True:
            await self.change("background")
            await asyncio.sleep(BUSY_SECONDS)


async def main(changes: int) -> None:
    """Run all three and print a line for each."""
    services = Services(open_stack(DEFAULT_STATE), DEFAULT_STATE)
    urls = LocalUrls.read(DEFAULT_STATE)
    async with httpx2.AsyncClient(trust_env=False, timeout=WAIT + 5, headers=urls.admin) as http:
        run = Run(http, urls)
        await run.begin()
        await run.until_live(await run.change())
        await asyncio.sleep(2 * QUIET_SECONDS)
        _say("quiet", await run.timed(changes, QUIET_SECONDS))
        newer_than = asyncio.create_task(run.write_in_background())
        _say("busy", await run.timed(changes, 0))
        newer_than.cancel()
        await asyncio.sleep(2 * QUIET_SECONDS)
        _say("frozen", [await _thawed(run, services, each) for each in FROZEN_SECONDS])


async def _thawed(run: Run, services: Services, seconds: float) -> float:
    """Freeze a resolver for so long; returns the seconds from then until the wait ended."""
    frozen = services.data_planes[1]
    await frozen.freeze()
    try:
        waiting = asyncio.create_task(run.until_live(await run.change()))
        await asyncio.sleep(seconds)
    finally:
        await frozen.thaw()
    thawed = time.perf_counter()
    await waiting
    return time.perf_counter() - thawed


def _say(what: str, seconds: list[float]) -> None:
    milliseconds = [round(1000 * each) for each in sorted(seconds)]
    middle = statistics.median(milliseconds)
    sys.stdout.write(
        f"{what}: {len(milliseconds)} waits ended after p50 {middle:.0f} ms, at most {milliseconds[-1]} ms\n"
    )


if __name__ == "__main__":
    asyncio.run(main(int(sys.argv[1]) if len(sys.argv) > 1 else 20))
