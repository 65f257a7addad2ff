"""What a process's cache of so many routes weighs, and how long an answer from it takes.

`python -m bench.l1_size <routes>` prints JSON: bytes per route, p50 and p99 of one answer in microseconds. It has a
process of its own, so that nothing else is weighed. The latency is that of the whole hot path without a server.
"""

import asyncio
import json
import random
import sys
import time
from pathlib import Path
from typing import Any

from data_plane.domain.entry import Entry, Lives, State
from data_plane.http.hot_path import HotPath
from data_plane.service.freshness import Freshness
from data_plane.service.local_answers import LocalAnswers
from data_plane.service.local_cache import LocalCache
from shared.runtime.catalogue import Service
from shared.runtime.clock import SystemClock
from shared.runtime.health import Health
from shared.runtime.metrics import Metrics
from shared.schemas.identity import RouteKey

ASKED = 100_000
_PAGE = 4096


def _key(number: int) -> RouteKey:
    return RouteKey(f"team-{number % 500:04}", f"service-{number:07}", "prod", "v1")


def _fill(cache: LocalCache, routes: int, now: float) -> None:
    for number in range(routes):
        key = _key(number)
        url = f"http://{key.service}.{key.tenant}-prod.svc.cluster.local:8080"
        # Times of its own for each route, as events and reads would have them.
        cache.store(Entry(key, State.ACTIVE, url, 1000 + number, now + number / 1e9, now + 3600 + number / 1e9))


def _resident() -> int:
    return int(Path("/proc/self/statm").read_text().split()[1]) * _PAGE


async def _send(_: Any) -> None:
    """What a server would do with it."""


async def _left_over(*_: Any) -> None:
    raise RuntimeError("the hot path left a request to Litestar")


async def _latencies(app: HotPath, routes: int) -> list[float]:
    chosen = [random.randrange(routes) for _ in range(ASKED)]  # noqa: S311
    took = []
    for number in chosen:
        path = f"/api/v1/resolve/{str(_key(number)).replace(':', '/')}".encode()
        scope: Any = {
            "type": "http",
            "method": "GET",
            "raw_path": path,
            "query_string": b"",
            "headers": [(b"host", b"x")],
        }
        started = time.perf_counter()
        await app(scope, _left_over, _send)  # type: ignore[arg-type]
        took.append(time.perf_counter() - started)
    return sorted(took)


def main(routes: int) -> None:
    """Measure, print."""
    clock, metrics = SystemClock(), Metrics(Service.DATA_PLANE)
    cache = LocalCache(routes, metrics)
    answers = LocalAnswers(cache, Freshness(Lives(positive=3600), clock, metrics), clock, metrics)
    app = HotPath(_left_over, answers, health=Health({}), metrics=metrics)
    before = _resident()
    _fill(cache, routes, clock.monotonic())
    bytes_each = (_resident() - before) / routes
    took = asyncio.run(_latencies(app, routes))
    p50, p99 = (took[int(len(took) * share)] * 1e6 for share in (0.5, 0.99))
    sys.stdout.write(json.dumps({"bytes_per_route": bytes_each, "p50_us": p50, "p99_us": p99}) + "\n")


if __name__ == "__main__":
    main(int(sys.argv[1]))
