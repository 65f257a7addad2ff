"""The speed of the resolver compared with well-known servers, in one run.

`.venv/bin/python -m bench.resolver [seconds per HTTP run]` starts servers of its own, prints a table and writes
`bench-resolver.json`, also with partial results if it fails. It takes about four minutes and needs an otherwise idle
machine with wrk installed. Exit code 1 if a row had unexpected responses; missed goals are only shown.
"""

import asyncio
import json
import logging
import statistics
import subprocess
import sys
import tempfile
from collections.abc import AsyncIterator, Mapping
from dataclasses import replace
from functools import partial
from pathlib import Path

import uvloop
from rich.console import Console

from bench import core, peers, seeded, wrk
from bench.caller import save_copy
from bench.contenders import (
    CONSTANT,
    CONTENDERS,
    L1,
    LARGE,
    MILLION,
    PATIENT,
    SMALL,
    Contender,
    all_are_found,
    instance_of,
    until_known,
)
from bench.report import Figure, Goal, Row, skipped, table_of, write
from deploy.local.ports import pick
from deploy.local.progress import NoProgress
from deploy.local.services import Services
from deploy.local.stack import Stack, open_stack
from deploy.local.starting import start_all
from shared.runtime import logs
from shared.runtime.access.tokens import AccessKey
from shared.runtime.service import Service
from shared.runtime.settings import LogFormat

ROUTES = 20_000
ROUNDS = 3
MANY = Path(__file__).with_name("many.lua")
RANGE = Path(__file__).with_name("range.lua")
NGINX, ETCD = "nginx constant", "etcd range"
OUTPUT = Path("bench-resolver.json")


async def main(seconds: int) -> int:
    """Measure, print, write. Returns the number of failed rows."""
    rows: list[Row] = []
    try:
        await _measure(seconds, rows)
    finally:
        Console(width=170).print(table_of(rows))
        write(rows, OUTPUT)
    return sum(bool(each.failed) for each in rows)


async def _measure(seconds: int, rows: list[Row]) -> None:
    """Start servers, add a row after each measurement, stop."""
    with tempfile.TemporaryDirectory(prefix="bench-", ignore_cleanup_errors=True) as directory:
        stack = open_stack(Path(directory))
        try:
            # No Kafka, no MongoDB: nothing changes while this runs.
            await start_all([(stack.postgres, stack.replica), (stack.redis,)], NoProgress())
            services = Services(stack, Path(directory))
            await services.migration.start()
            await seeded.seed(stack.urls.postgres, ROUTES)
            key = AccessKey.new()
            copy = Path(directory, "access-keys")
            save_copy(key, copy)
            shared = {"TM_KEY_SNAPSHOT_PATH": str(copy), "TM_BENCH_KEY": key.text}
            rows += await _over_http(services, shared, seconds)
            async for row in _inside(stack):
                rows.append(row)
            rows += await asyncio.to_thread(_sizes)
        finally:
            for server in (stack.redis, stack.replica, stack.postgres):
                await server.stop()


async def _over_http(services: Services, shared: Mapping[str, str], seconds: int) -> list[Row]:
    """`shared`: settings of all contenders. Access is on, and all get the same key."""
    key = shared["TM_BENCH_KEY"]
    instances = {each: instance_of(services, each, shared) for each in CONTENDERS}
    loads: dict[Contender, list[wrk.Load]] = {each: [] for each in CONTENDERS}
    alone: dict[Contender, list[wrk.Load]] = {SMALL: [], LARGE: []}
    others: dict[str, list[wrk.Load]] = {NGINX: [], ETCD: []}
    many: list[wrk.Load] = []
    absent: list[wrk.Load] = []
    try:
        for each, instance in instances.items():
            await instance.start()
            await until_known(instance.urls[0], each, key)
        await all_are_found(instances[L1].urls[0], L1, key)
        with peers.nginx_constant(pick()) as nginx, peers.etcd_range(pick(), pick(), L1.routes) as etcd:
            # Interleaved, so that a drift of the machine hits every row.
            for _ in range(ROUNDS):
                for each, instance in instances.items():
                    loads[each].append(await _drive(instance.urls[0], each.routes, key, seconds))
                for each in alone:
                    alone[each].append(await _drive(instances[each].urls[0], each.routes, key, seconds, connections=1))
                nothing = await _drive(instances[L1].urls[0], L1.routes, key, seconds, name=wrk.UNKNOWN_ROUTES)
                absent.append(replace(nothing, refused=nothing.answers - nothing.refused))  # each should be a 404
                many.append(await _drive(instances[L1].urls[0], L1.routes, key, seconds, script=MANY))
                for name, url, script in ((NGINX, nginx, wrk.KEYS), (ETCD, etcd, RANGE)):
                    if url:
                        others[name].append(await _drive(url, L1.routes, key, seconds, script=script))
    finally:
        for instance in instances.values():
            await instance.stop()
    return _http_rows(loads, alone, others, many, absent)


async def _drive(
    url: str,
    routes: int,
    key: str,
    seconds: int,
    *,
    connections: int = 64,
    script: Path = wrk.KEYS,
    name: str = "service",
) -> wrk.Load:
    drive = partial(wrk.drive, url, routes=routes, key=key, connections=connections, script=script, name=name)
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
    hits = _row(
        L1.name, loads[L1], constant, goals=(Goal(Figure.RATIO, at_least=0.8), Goal(Figure.P99_RATIO, at_most=2))
    )
    as_fast = (Goal(Figure.P99_RATIO, at_most=1.2),)
    small, small_alone = _row(SMALL.name, loads[SMALL]), _row(f"{SMALL.name}, one at a time", alone[SMALL])
    return [
        constant,
        hits,
        _row("L1 404", absent, hits),
        small,
        # At 64 connections, as in all rows, p99 has the queue in it; one at a time, mostly how soon an idle processor wakes up.
        _row(LARGE.name, loads[LARGE], small, goals=as_fast),
        small_alone,
        _row(f"{LARGE.name}, one at a time", alone[LARGE], small_alone, goals=as_fast),
        _row("1,000 keys in a request, L1", many, unit="keys/s", in_each=1000),
        *(
            _row(name, found, constant) if found else skipped(name, "requests/s", "not installed")
            for name, found in others.items()
        ),
    ]


def _row(
    name: str,
    loads: list[wrk.Load],
    newer_than: Row | None = None,
    *,
    goals: tuple[Goal, ...] = (),
    unit: str = "requests/s",
    in_each: int = 1,
) -> Row:
    """The median of the rounds; `in_each`: the number of units in one request."""
    wrong = sum(each.errors for each in loads)
    if wrong:
        return Row(name, unit, goals=goals, failed=f"{wrong} answers were not as they should be, or did not come")
    rate, p99 = statistics.median(each.rps for each in loads), statistics.median(each.p99_ms for each in loads)
    alone = Row(name, unit, in_each * rate, p99, goals=goals)
    if newer_than is None or newer_than.value is None or newer_than.p99_ms is None:
        return alone
    return replace(alone, newer_than=newer_than.name, ratio=rate / newer_than.value, p99_ratio=p99 / newer_than.p99_ms)


async def _inside(stack: Stack) -> AsyncIterator[Row]:
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
    yield peer if gets else skipped(peer.name, peer.unit, "not installed")
    half = (Goal(Figure.RATIO, at_least=0.5),)
    ratio = rate / gets if gets else None
    yield Row("Redis hit in process, 64 in flight", "resolves/s", rate, newer_than=peer.name, ratio=ratio, goals=half)
    cold = await core.replica_reads(environment, ROUTES)
    yield Row("replica, cold keys, in process", "resolves/s", cold, goals=(Goal(Figure.VALUE, at_least=15_000),))
    keys = await core.many_keys(environment, ROUTES, rounds=500)
    yield Row("many keys, L1, in process", "keys/s", keys, goals=(Goal(Figure.VALUE, at_least=500_000),))


def _sizes() -> list[Row]:
    size = _size_of(MILLION)["bytes_per_route"]
    return [Row("memory of a route, of 1,000,000", "bytes", size, goals=(Goal(Figure.VALUE, at_most=500),))]


def _size_of(routes: int) -> dict[str, float]:
    command = [sys.executable, "-m", "bench.l1_size", str(routes)]
    report = subprocess.run(command, capture_output=True, text=True, check=True, timeout=300).stdout
    return dict(json.loads(report))


if __name__ == "__main__":
    if not wrk.is_installed():
        sys.exit("wrk is not installed (Debian: apt-get install wrk)")
    logs.configure(service=Service.DATA_PLANE, instance="bench", level="CRITICAL", log_format=LogFormat.CONSOLE)
    logging.disable()  # there is no Kafka, and its client would log that continuously
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        failed = runner.run(main(int(sys.argv[1]) if len(sys.argv) > 1 else 5))
    sys.exit(1 if failed else 0)
