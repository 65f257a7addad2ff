"""Latency by load: one process that answers from L1, under an increasing number of connections.

Run on an idle machine, with wrk and matplotlib installed (`uv pip install -r requirements/bench.txt`):
`.venv/bin/python -m bench.latency_curve [file.png] [seconds per point]`. It starts what it needs.
"""

import asyncio
import sys
import tempfile
from pathlib import Path

import matplotlib as mpl
from matplotlib import pyplot

from bench import wrk
from deploy.local.services import Services
from deploy.local.stack import open_stack
from shared.runtime.access.tokens import AccessKey

CONNECTIONS = (1, 2, 4, 8, 16, 32, 64, 128, 256)
ROUTES = 1000


async def main(picture: Path, seconds: int) -> None:
    """Start a process with the hot path over a full cache, drive it, and draw."""
    with tempfile.TemporaryDirectory(prefix="bench-", ignore_cleanup_errors=True) as directory:
        services, key = Services(open_stack(Path(directory)), Path(directory)), AccessKey.new().text
        settings = {"TM_BENCH_ROUTES": str(ROUTES), "TM_BENCH_KEY": key}
        instance = services.add_instance("bench.full_cache", "bench-latency", settings)
        await instance.start()
        try:
            loads = [await asyncio.to_thread(_load, instance.urls[0], each, seconds, key) for each in CONNECTIONS]
        finally:
            await instance.stop()
    draw(loads, picture)


def _load(url: str, connections: int, seconds: int, key: str) -> wrk.Load:
    return wrk.drive(url, routes=ROUTES, seconds=seconds, key=key, connections=connections)


def draw(loads: list[wrk.Load], picture: Path) -> None:
    """One line for the median and one for the 99th percentile, by requests a second; each point is a load."""
    mpl.use("Agg")
    figure, axes = pyplot.subplots(figsize=(8, 5))
    rates = [load.rps for load in loads]
    for label, values in (("p50", [load.p50_ms for load in loads]), ("p99", [load.p99_ms for load in loads])):
        axes.plot(rates, values, marker="o", label=label)
    for load, connections in zip(loads, CONNECTIONS, strict=True):
        axes.annotate(str(connections), (load.rps, load.p99_ms), textcoords="offset points", xytext=(4, 4))
    axes.set(xlabel="requests/s", ylabel="latency, ms", yscale="log", title="One process, known routes; by connections")
    axes.grid(visible=True, alpha=0.3)
    axes.legend()
    figure.savefig(picture, dpi=120)


if __name__ == "__main__":
    if not wrk.is_installed():
        sys.exit("wrk is not installed (Debian: apt-get install wrk)")
    arguments = [*sys.argv[1:], *("latency-curve.png", "3")[len(sys.argv) - 1 :]]
    asyncio.run(main(Path(arguments[0]), int(arguments[1])))
