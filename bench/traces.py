"""What traces cost requests that L1 answers: with a collector, without one, and with one that is away or frozen.

`.venv/bin/python -m bench.traces [seconds per run]` starts servers of its own and prints a table, in about four minutes. It
needs wrk. Throughput is counted in requests per second of the server's processor time, so that a busy machine does not
decide it; p99 is that of the least disturbed round. Rounds are interleaved. Exit code 1 if a row had unexpected responses;
missed goals are only shown.
"""

import asyncio
import logging
import socket
import statistics
import sys
import tempfile
from collections.abc import Mapping
from contextlib import ExitStack
from dataclasses import dataclass, replace
from pathlib import Path

import psutil
import uvloop
from rich.console import Console

from bench import seeded, wrk
from bench.caller import save_copy
from bench.contenders import CONSTANT, L1, Contender, all_are_found, instance_of, until_known
from bench.report import Figure, Goal, Row, table_of
from deploy.local.progress import NoProgress
from deploy.local.server import Server
from deploy.local.services import Services
from deploy.local.stack import open_stack
from deploy.local.starting import start_all
from shared.runtime import logs
from shared.runtime.access.tokens import AccessKey
from shared.runtime.service import Service
from shared.runtime.settings import LogFormat
from tests.support.otlp_receiver import otlp_receiver

ROUNDS = 5
TRACED = Path(__file__).with_name("traced.lua")
_UNIT = "requests/processor s"
_AS_FAST = (Goal(Figure.P99_RATIO, at_most=1.1),)


@dataclass(frozen=True, slots=True)
class Case:
    """One row: an instance under load. `beside`: the row that it is compared with."""

    name: str
    instance: Contender
    script: Path = wrk.KEYS
    argument: str = "service"
    beside: str = ""
    goals: tuple[Goal, ...] = ()


def _cases(collector: str, frozen: str) -> list[Case]:
    def exporting(name: str, url: str) -> Contender:
        return Contender(name, "data_plane", {**L1.settings, "OTEL_EXPORTER_OTLP_ENDPOINT": url}, L1.routes)

    off, on = replace(L1, name="traces off"), exporting("traces on", collector)
    away, stuck = exporting("collector away", "http://127.0.0.1:1"), exporting("collector frozen", frozen)
    return [
        Case(CONSTANT.name, CONSTANT),
        Case(off.name, off, beside=CONSTANT.name),
        Case(on.name, on, beside=CONSTANT.name, goals=(Goal(Figure.RATIO, at_least=0.8),)),
        Case(away.name, away, beside=off.name, goals=_AS_FAST),
        Case(stuck.name, stuck, beside=off.name, goals=_AS_FAST),
        Case("callers send a trace, off", off, TRACED, "unsampled", beside=off.name),
        Case("callers send a trace, on", on, TRACED, "unsampled", beside="callers send a trace, off"),
        Case("callers sample every request", on, TRACED, "sampled", beside="callers send a trace, off"),
        Case("the same, collector frozen", stuck, TRACED, "sampled", beside="callers send a trace, off"),
    ]


async def main(seconds: int) -> int:
    """Measure and print. Returns the number of failed rows."""
    with tempfile.TemporaryDirectory(prefix="bench-", ignore_cleanup_errors=True) as directory, ExitStack() as opened:
        frozen = opened.enter_context(socket.create_server(("127.0.0.1", 0), backlog=100))
        receiver = opened.enter_context(otlp_receiver())
        cases = _cases(receiver.url, f"http://127.0.0.1:{frozen.getsockname()[1]}")
        loads = await _measure(cases, Path(directory), seconds)
    rows: dict[str, Row] = {}
    for case in cases:
        rows[case.name] = _row(case, loads[case.name], rows.get(case.beside))
    Console(width=150).print(table_of(list(rows.values())), f"{len(receiver.spans):,} spans were received.")
    return sum(bool(each.failed) for each in rows.values())


async def _measure(cases: list[Case], directory: Path, seconds: int) -> Mapping[str, list[wrk.Load]]:
    stack = open_stack(directory)
    started: list[Server] = []
    try:
        await start_all([(stack.postgres, stack.replica), (stack.redis,)], NoProgress())
        services = Services(stack, directory)
        await services.migration.start()
        await seeded.seed(stack.urls.postgres, L1.routes)
        key = AccessKey.new()
        save_copy(key, directory / "access-keys")
        shared = {"TM_KEY_SNAPSHOT_PATH": str(directory / "access-keys"), "TM_BENCH_KEY": key.text}
        instances = {each.instance: instance_of(services, each.instance, shared) for each in cases}
        for contender, instance in instances.items():
            started.append(instance)
            await instance.start()
            if contender is not CONSTANT:
                await until_known(instance.urls[0], contender, key.text)
                await all_are_found(instance.urls[0], contender, key.text)
        loads: dict[str, list[wrk.Load]] = {each.name: [] for each in cases}
        for _ in range(ROUNDS):
            for case in cases:
                loads[case.name].append(await _drive(case, instances[case.instance], key.text, seconds))
        return loads
    finally:
        for server in (*started, stack.redis, stack.replica, stack.postgres):
            await server.stop()


async def _drive(case: Case, instance: Server, key: str, seconds: int) -> wrk.Load:
    """One run after a short one. Its `rps` are those per second of processor time."""

    def drive(for_seconds: int) -> wrk.Load:
        url = instance.urls[0]
        return wrk.drive(url, routes=L1.routes, key=key, seconds=for_seconds, script=case.script, name=case.argument)

    await asyncio.to_thread(drive, 1)
    before = _processor_seconds(instance)
    load = await asyncio.to_thread(drive, seconds)
    return replace(load, rps=load.answers / (_processor_seconds(instance) - before))


def _processor_seconds(instance: Server) -> float:
    server = psutil.Process(instance.pid)
    return sum(sum(each.cpu_times()[:2]) for each in (server, *server.children()))


def _row(case: Case, loads: list[wrk.Load], beside: Row | None) -> Row:
    wrong = sum(each.errors for each in loads)
    if wrong:
        return Row(case.name, _UNIT, goals=case.goals, failed=f"{wrong} answers were wrong, or did not come")
    rate, p99 = statistics.median(each.rps for each in loads), min(each.p99_ms for each in loads)
    row = Row(case.name, _UNIT, rate, p99, goals=case.goals)
    if beside is None or beside.value is None or beside.p99_ms is None:
        return row
    return replace(row, newer_than=case.beside, ratio=rate / beside.value, p99_ratio=p99 / beside.p99_ms)


if __name__ == "__main__":
    if not wrk.is_installed():
        sys.exit("wrk is not installed (Debian: apt-get install wrk)")
    logs.configure(service=Service.DATA_PLANE, instance="bench", level="CRITICAL", log_format=LogFormat.CONSOLE)
    logging.disable()
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        failed = runner.run(main(int(sys.argv[1]) if len(sys.argv) > 1 else 3))
    sys.exit(1 if failed else 0)
