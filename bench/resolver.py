"""How fast the resolver is, beside programs whose speed is known, all in one run.

`.venv/bin/python -m bench.resolver [seconds per HTTP run]` starts servers of its own, prints a table and writes
`bench-resolver.json`. It takes about three minutes and wants an otherwise idle machine; wrk has to be installed.
"""

import asyncio
import json
import logging
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

import httpx2
import uvloop
from rich.console import Console

from bench import core, peers, seeded, wrk
from bench.caller import save_copy
from bench.report import Row, skipped, table_of, write
from deploy.local.ports import pick
from deploy.local.progress import Silent
from deploy.local.server import Server
from deploy.local.services import Services
from deploy.local.stack import Stack, open_stack
from deploy.local.starting import start_all
from shared.runtime import logs
from shared.runtime.access.tokens import AccessKey
from shared.runtime.catalogue import Service
from shared.runtime.settings import LogFormat

ROUTES = 20_000
ROUNDS = 3
MILLION = 1_000_000
FILL_SECONDS = 300.0
MANY = Path(__file__).with_name("many.lua")
RANGE = Path(__file__).with_name("range.lua")
NGINX, ETCD = "nginx constant", "etcd range"
OUTPUT = Path("bench-resolver.json")


@dataclass(frozen=True, slots=True, eq=False)
class Contender:
    """A server to drive over HTTP, `routes` of which are asked for."""

    name: str
    module: str
    settings: Mapping[str, str]
    routes: int = 1000


CONSTANT = Contender("bare ASGI constant", "bench.constant", {})
PATIENT = {
    # A busy machine should show as a low rate, not as errors or as reloading.
    "positive_life_seconds": "3600",
    "negative_life_seconds": "3600",
    "resolve_deadline_seconds": "10",
    "database_timeout_seconds": "5",
    "redis_timeout_seconds": "2",
}
L1 = Contender("L1 hit", "data_plane", {f"TM_{name.upper()}": value for name, value in PATIENT.items()})
SMALL = Contender("cache of 1,000 routes", "bench.full_cache", {"TM_BENCH_ROUTES": "1000"})
LARGE = Contender("cache of 1,000,000 routes", "bench.full_cache", {"TM_BENCH_ROUTES": str(MILLION)}, MILLION)
CONTENDERS = (CONSTANT, L1, SMALL, LARGE)


async def main(seconds: int) -> None:
    """Start servers, measure, print, write, stop."""
    with tempfile.TemporaryDirectory(prefix="bench-", ignore_cleanup_errors=True) as directory:
        stack = open_stack(Path(directory))
        try:
            # No Kafka, no MongoDB: nothing changes while this runs.
            await start_all([(stack.postgres, stack.replica), (stack.redis,)], Silent())
            services = Services(stack, Path(directory))
            await services.migration.start()
            await seeded.seed(stack.urls.postgres, ROUTES)
            key = AccessKey.new()
            copy = Path(directory, "access-keys")
            save_copy(key, copy)
            shared = {"TM_ACCESS_COPY": str(copy), "TM_BENCH_KEY": key.text}
            rows = [
                *await _over_http(services, shared, seconds),
                *await _inside(stack),
                *await asyncio.to_thread(_sizes),
            ]
        finally:
            for server in (stack.redis, stack.replica, stack.postgres):
                await server.stop()
    Console(width=150).print(table_of(rows))
    write(rows, OUTPUT)


async def _over_http(services: Services, shared: Mapping[str, str], seconds: int) -> list[Row]:
    """`shared`: settings of all contenders. Access is on, and all are sent the same key."""
    key = shared["TM_BENCH_KEY"]
    instances = {each: _instance(services, each, shared) for each in CONTENDERS}
    loads: dict[Contender, list[wrk.Load]] = {each: [] for each in CONTENDERS}
    alone: dict[Contender, list[wrk.Load]] = {SMALL: [], LARGE: []}
    others: dict[str, list[wrk.Load]] = {NGINX: [], ETCD: []}
    many: list[wrk.Load] = []
    absent: list[wrk.Load] = []
    try:
        for each, instance in instances.items():
            await instance.start()
            await _until_known(instance.urls[0], each, key)
        with peers.nginx_constant(pick()) as nginx, peers.etcd_range(pick(), pick(), L1.routes) as etcd:
            # Interleaved, so that a drift of the machine hits every row.
            for _ in range(ROUNDS):
                for each, instance in instances.items():
                    loads[each].append(await _drive(instance.urls[0], each.routes, key, seconds))
                for each in alone:
                    alone[each].append(await _drive(instances[each].urls[0], each.routes, key, seconds, connections=1))
                nothing = await _drive(instances[L1].urls[0], L1.routes, key, seconds, script=wrk.NOTHING)
                absent.append(replace(nothing, errors=nothing.answers - nothing.errors))  # each of them should be a 404
                many.append(await _drive(instances[L1].urls[0], L1.routes, key, seconds, script=MANY))
                for name, url, script in ((NGINX, nginx, wrk.KEYS), (ETCD, etcd, RANGE)):
                    if url:
                        others[name].append(await _drive(url, L1.routes, key, seconds, script=script))
    finally:
        for instance in instances.values():
            await instance.stop()
    return _http_rows(loads, alone, others, many, absent)


def _instance(services: Services, contender: Contender, shared: Mapping[str, str]) -> Server:
    name = f"bench-{contender.name.lower().replace(' ', '-').replace(',', '')}"
    return services.another(contender.module, name, {**shared, **contender.settings})


async def _until_known(url: str, contender: Contender, key: str) -> None:
    """Wait until the last of the routes is there."""
    path = str(seeded.key(contender.routes - 1)).replace(":", "/")
    async with (
        httpx2.AsyncClient(timeout=10, headers={"Authorization": f"Bearer {key}"}) as http,
        asyncio.timeout(FILL_SECONDS),
    ):
        while (await http.get(f"{url}/api/v1/resolve/{path}")).status_code != 200:  # noqa: ASYNC110 - another process fills it
            await asyncio.sleep(0.5)


async def _drive(
    url: str, routes: int, key: str, seconds: int, *, connections: int = 64, script: Path = wrk.KEYS
) -> wrk.Load:
    drive = partial(wrk.drive, url, routes=routes, key=key, connections=connections, script=script)
    await asyncio.to_thread(drive, seconds=1)
    return await asyncio.to_thread(drive, seconds=seconds)


def _http_rows(
    loads: Mapping[Contender, list[wrk.Load]],
    alone: Mapping[Contender, list[wrk.Load]],
    others: Mapping[str, list[wrk.Load]],
    many: list[wrk.Load],
    absent: list[wrk.Load],
) -> list[Row]:
    constant = _row(CONSTANT.name, loads[CONSTANT])
    hits = _row(L1.name, loads[L1], constant, goal="rate >= 0.8, p99 <= 2")
    small, small_alone = _row(SMALL.name, loads[SMALL]), _row(f"{SMALL.name}, one at a time", alone[SMALL])
    return [
        constant,
        hits,
        _row("L1 404", absent, hits),
        small,
        _row(LARGE.name, loads[LARGE], small),
        # With 64 connections the server is full, and p99 tells how long the queue is; here it tells of the answer.
        small_alone,
        _row(f"{LARGE.name}, one at a time", alone[LARGE], small_alone, goal="p99 <= 1.2"),
        Row("1,000 keys in a request, L1", "keys/s", 1000 * statistics.median(each.rps for each in many)),
        *(
            _row(name, found, constant) if found else skipped(name, "requests/s", "not installed")
            for name, found in others.items()
        ),
    ]


def _row(name: str, loads: list[wrk.Load], beside: Row | None = None, goal: str = "") -> Row:
    wrong = sum(each.errors for each in loads)
    if wrong:
        raise RuntimeError(f"{name}: {wrong} answers were not of the status they should have")
    rate, p99 = statistics.median(each.rps for each in loads), statistics.median(each.p99_ms for each in loads)
    if beside is None or beside.value is None or beside.p99_ms is None:
        return Row(name, "requests/s", rate, p99)
    return Row(name, "requests/s", rate, p99, beside.name, rate / beside.value, p99 / beside.p99_ms, goal)


async def _inside(stack: Stack) -> list[Row]:
    environment = {
        "replica_urls": stack.urls.replicas[0],
        "postgres_url": stack.urls.postgres,
        "redis_url": stack.urls.redis,
        "kafka_start_seconds": "0",
        **PATIENT,
    }
    await core.fill_redis(environment, ROUTES)
    hits = await core.redis_hits(environment, ROUTES)
    program, gets = peers.redis_benchmark(), None
    if program:
        gets = await asyncio.to_thread(peers.redis_gets, program, stack.urls.redis, 100_000, core.IN_FLIGHT)
    again = await core.redis_hits(environment, ROUTES)
    rate = (hits + again) / 2
    peer = Row("redis-benchmark GET, 64 clients", "requests/s", gets)
    return [
        peer if gets else skipped(peer.name, peer.unit, "not installed"),
        Row("Redis hit in process, 64 in flight", "resolves/s", rate, beside=peer.name,
            ratio=rate / gets if gets else None, goal="ratio >= 0.5"),
        Row("replica, cold keys, in process", "resolves/s", await core.replica_reads(environment, ROUTES),
            goal=">= 15,000"),
        Row("many keys, L1, in process", "keys/s", await core.many_keys(environment, ROUTES, rounds=500),
            goal=">= 500,000"),
    ]  # fmt: skip


def _sizes() -> list[Row]:
    size = _size_of(MILLION)["bytes_per_route"]
    return [Row("memory of a route, of 1,000,000", "bytes", size, goal="<= 500")]


def _size_of(routes: int) -> dict[str, float]:
    command = [sys.executable, "-m", "bench.l1_size", str(routes)]
    report = subprocess.run(command, capture_output=True, text=True, check=True, timeout=300).stdout
    return dict(json.loads(report))


if __name__ == "__main__":
    if not wrk.is_installed():
        sys.exit("wrk is not installed (Debian: apt-get install wrk)")
    logs.configure(service=Service.DATA_PLANE, instance="bench", level="CRITICAL", log_format=LogFormat.CONSOLE)
    logging.disable()  # there is no Kafka, and its client would tell of that all the time
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(main(int(sys.argv[1]) if len(sys.argv) > 1 else 5))
