"""Breaks real servers under load, row by row, and compares what is seen with what is promised. docs/faults.md has the rows.

Run by `make faults`. Starts a stack of its own and stops it in the end. Exit code 1 when a promise was broken.
"""

import argparse
import asyncio
import logging
import sys
from collections.abc import Sequence
from pathlib import Path

from rich.console import Console

from bench.faults.broker import ProxiedBroker
from bench.faults.commit_history import Promise
from bench.faults.load import Rates
from bench.faults.report import Finding, Report, print_finding
from bench.faults.row import Row
from bench.faults.suite import ROWS, Suite, loaded
from deploy.local.kafka.broker import KafkaBroker
from deploy.local.local_process import LocalProcess
from deploy.local.settings import DEFAULT_STATE, LocalSettings, read_settings
from deploy.local.stack import Stack, open_stack
from tests.support.system import running

STATE = DEFAULT_STATE / "faults"
SHORT_CALM_SECONDS = 4.0
_WIDTH = 170


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="make faults", description=__doc__)
    parser.add_argument("rows", nargs="*", type=int, help="numbers of rows (default: all)")
    parser.add_argument("--scale", type=float, default=1.0, help="part of the full durations; 0: as short as possible")
    parser.add_argument("--resolves", type=float, default=Rates().resolves, help="R, per second (%(default)g)")
    parser.add_argument("--writes", type=float, default=Rates().writes, help="W, per second (%(default)g)")
    parser.add_argument("--routes", type=int, default=Rates().routes, help="routes that are resolved (%(default)d)")
    return parser


def own_servers() -> LocalSettings:
    """Local processes only: a server that other programs use must not be killed."""
    return read_settings().model_copy(
        update={
            "postgres_url": None,
            "replica_urls": (),
            "redis_url": None,
            "kafka_bootstrap": None,
            "mongo_url": None,
            "local_servers": "processes",
        }
    )


def fault_stack(state: Path) -> Stack:
    """The servers, with a broker that clients can be made to reach through a proxy."""
    settings = own_servers()
    stack = open_stack(state, settings)
    broker: KafkaBroker = ProxiedBroker(stack.state, settings.cache / "jars")
    stack.kafka = LocalProcess(broker, stack.state)
    return stack


async def _run(rows: Sequence[Row], rates: Rates, scale: float, console: Console) -> list[Finding]:
    findings: list[Finding] = []
    stack = fault_stack(STATE)
    try:
        await stack.start()
        async with running(stack, STATE) as system, loaded(system, rates, Promise()) as load:
            suite = Suite(system, load, scale=scale, calm_seconds=max(SHORT_CALM_SECONDS, 10 * min(scale, 1)))
            for row in rows:
                console.print(f"{row.number}. {row.fault}: {row.lasts(scale):g} s …", markup=False)
                findings.append(await suite.run(row))
                print_finding(console, findings[-1])
    finally:
        await stack.stop()
        stack.purge()
    return findings


def main(arguments: Sequence[str] | None = None) -> int:
    """The exit code: 0 when every promise was kept."""
    logging.getLogger("aiokafka").addHandler(logging.NullHandler())  # errors of connections are what is caused here
    given = _parser().parse_args(arguments)
    numbers = {row.number for row in ROWS}
    if unknown := set(given.rows) - numbers:
        sys.exit(f"no row has the number {min(unknown)}; the rows are {', '.join(map(str, sorted(numbers)))}")
    rows = [row for row in ROWS if not given.rows or row.number in given.rows]
    rates = Rates(given.resolves, given.writes, given.routes)
    console = Console(width=None if sys.stdout.isatty() else _WIDTH)
    report = Report(rates, asyncio.run(_run(rows, rates, given.scale, console)))
    path = report.write(DEFAULT_STATE)
    console.print(
        f"{len(report.findings)} rows, {len(report.broken)} broken. {report.heading} The report: {path}", markup=False
    )
    return 1 if report.broken else 0


if __name__ == "__main__":
    sys.exit(main())
