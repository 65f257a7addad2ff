"""Writes a second with 16 clients, on 32 tenants and on one, compared with pgbench inserting one row per transaction.

Run on an idle local stack (`make up`), with wrk installed: `.venv/bin/python -m bench.writes [seconds per run]`.

Three ways to write, on the same PostgreSQL in the same run, in interleaved rounds of which the median is shown:

- pgbench, from the package of the server: a prepared INSERT of one row, nothing else. The upper limit of the disk and server.
- The core: the change-set adapter in this process, without HTTP, on the event loop that the service has.
- HTTP: the running control plane, one worker, PUT of one route that changes with each request.
"""

import asyncio
import re
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable
from pathlib import Path

import asyncpg
import httpx2
import uvloop
from rich.console import Console
from rich.table import Table

from bench import wrk
from bench.change_writer import CLIENTS, change_writer, postgres_url
from deploy.local.server_programs import postgres_package
from deploy.local.settings import DEFAULT_STATE
from examples.local_urls import LocalUrls

TENANTS = 32
ROUNDS = 3
SCRIPT = "\\set n random(1, 1000000)\nINSERT INTO bench_rows (body) VALUES (:n);\n"
WRITES = Path(__file__).with_name("writes.lua")


async def main(seconds: int, state: Path) -> None:
    """Measure in rounds, print the table."""
    url = postgres_url(state)
    local = LocalUrls.read(state)
    control_plane, key = local.control_plane, local.admin_key
    await _prepare(url, control_plane, key)
    rows: dict[str, Callable[[], Awaitable[float]]] = {
        "pgbench, one INSERT": lambda: asyncio.to_thread(_pgbench, url, seconds),
        "core, 32 tenants": lambda: _core(url, TENANTS, seconds),
        "core, 1 tenant": lambda: _core(url, 1, seconds),
        "HTTP, 32 tenants": lambda: asyncio.to_thread(_http, control_plane, key, TENANTS, seconds),
        "HTTP, 1 tenant": lambda: asyncio.to_thread(_http, control_plane, key, 1, seconds),
    }
    rates: dict[str, list[float]] = {name: [] for name in rows}
    for _ in range(ROUNDS):
        for name, measure in rows.items():
            rates[name].append(await measure())
    Console().print(_table(rates))


async def _prepare(url: str, control_plane: str, key: str) -> None:
    connection = await asyncpg.connect(url)
    await connection.execute("CREATE TABLE IF NOT EXISTS bench_rows (id bigserial PRIMARY KEY, body text NOT NULL)")
    await connection.close()
    bearer = {"Authorization": f"Bearer {key}"}
    async with httpx2.AsyncClient(trust_env=False, base_url=control_plane, timeout=10, headers=bearer) as http:
        for number in range(TENANTS):
            (await http.put(f"/api/v1/tenants/{_tenant(number)}")).raise_for_status()


def _tenant(number: int) -> str:
    return f"bench-writes-{number}"


def _pgbench(url: str, seconds: int) -> float:
    with tempfile.NamedTemporaryFile("w", suffix=".sql") as script:
        script.write(SCRIPT)
        script.flush()
        program = postgres_package() / "pginstall" / "bin" / "pgbench"
        options = ["-n", "-f", script.name, "-c", str(CLIENTS), "-j", "1", "-T", str(seconds), "-M", "prepared", url]
        report = subprocess.run([program, *options], capture_output=True, text=True, check=True).stdout
    found = re.search(r"tps = ([\d.]+)", report)
    if found is None:
        raise ValueError(f"pgbench's report has no tps: {report}")
    return float(found.group(1))


async def _core(url: str, tenants: int, seconds: int) -> float:
    async with change_writer(url) as writer:
        until = time.perf_counter() + seconds
        names = [_tenant(number) for number in range(tenants)]
        return await writer.write(names, lambda _begun: time.perf_counter() < until) / seconds


def _http(control_plane: str, key: str, tenants: int, seconds: int) -> float:
    load = wrk.drive(control_plane, routes=tenants, seconds=seconds, key=key, connections=CLIENTS, script=WRITES)
    if load.errors:
        raise ValueError(f"{load.refused} writes were refused, {load.broken} had no answer")
    return load.rps


def _table(rates: dict[str, list[float]]) -> Table:
    base = statistics.median(rates["pgbench, one INSERT"])
    table = Table("way", "writes/s", "lowest", "highest", "ratio to pgbench", title=f"{CLIENTS} clients")
    for name, values in rates.items():
        median = statistics.median(values)
        table.add_row(name, f"{median:,.0f}", f"{min(values):,.0f}", f"{max(values):,.0f}", f"{median / base:.2f}")
    return table


if __name__ == "__main__":
    if not wrk.is_installed():
        sys.exit("wrk is not installed (Debian: apt-get install wrk)")
    uvloop.run(main(int(sys.argv[1]) if len(sys.argv) > 1 else 5, DEFAULT_STATE))
