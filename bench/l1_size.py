"""The memory of an L1 with a given number of routes, and the latency of an answer from it.

`python -m bench.l1_size <routes>` prints JSON: bytes per route, p50 and p99 of one answer in microseconds. It runs in
a process of its own, so that only L1 is measured. The latency is that of the whole fast path without a server.
"""

import asyncio
import json
import random
import sys
import time
from pathlib import Path
from typing import Any

from bench.held import FullCache
from bench.seeded import key
from data_plane.http.fast_path.middleware import FastPath
from shared.runtime.access.tokens import AccessKey

REQUESTS = 100_000
_PAGE = 4096


def main(routes: int) -> None:
    """Measure and print."""
    access = AccessKey.new()
    full = FullCache(routes, access)
    before = _resident()
    for _ in full.filling():
        pass
    bytes_each = (_resident() - before) / routes
    full.apply_heartbeat()
    took = asyncio.run(_latencies(full.behind(_left_over), routes, access))
    p50, p99 = (took[int(len(took) * share)] * 1e6 for share in (0.5, 0.99))
    sys.stdout.write(json.dumps({"bytes_per_route": bytes_each, "p50_us": p50, "p99_us": p99}) + "\n")


def _resident() -> int:
    return int(Path("/proc/self/statm").read_text().split()[1]) * _PAGE


async def _latencies(app: FastPath, routes: int, access: AccessKey) -> list[float]:
    chosen = [random.randrange(routes) for _ in range(REQUESTS)]
    took = []
    for number in chosen:
        request = _request(f"/api/v1/resolve/{str(key(number)).replace(':', '/')}".encode(), access)
        started = time.perf_counter()
        await app(request, _left_over, _send)
        took.append(time.perf_counter() - started)
    return sorted(took)


def _request(path: bytes, access: AccessKey) -> Any:
    headers = [(b"host", b"resolver:8000"), (b"authorization", b"Bearer " + access.text.encode())]
    return {"type": "http", "method": "GET", "raw_path": path, "query_string": b"", "headers": headers}


async def _send(_: Any) -> None:
    """The server's side of a response."""


async def _left_over(*_: Any) -> Any:
    raise RuntimeError("the fast path passed a request on to Litestar")


if __name__ == "__main__":
    main(int(sys.argv[1]))
