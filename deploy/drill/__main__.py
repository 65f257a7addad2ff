"""Breaks a stack of its own under Prometheus and Alertmanager, and checks that the right alert arrives: `make alerts-drill`."""

import argparse
import asyncio
import sys
from collections.abc import Sequence
from pathlib import Path

import httpx2
from rich.console import Console
from rich.table import Table

from deploy.drill import runner
from deploy.drill.alerts import AlertWatch
from deploy.drill.load import Load
from deploy.drill.monitoring import Monitoring, require_programs
from deploy.drill.runner import Result
from deploy.drill.scenarios import SCENARIOS
from deploy.local.errors import LocalServerError
from deploy.local.services import Services
from deploy.local.settings import REPOSITORY
from deploy.local.stack import Stack, open_stack
from deploy.prometheus.rule import Scale

_STATE = REPOSITORY / ".local" / "alerts-drill"
_SETTLE_SECONDS = 20.0


def _arguments(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m deploy.drill", description=__doc__)
    names = [scenario.name for scenario in SCENARIOS]
    parser.add_argument("scenarios", nargs="*", help=f"some of: {', '.join(names)} (default: all)")
    parser.add_argument("--healthy-seconds", type=float, default=600, help="time without a fault (%(default)s)")
    parser.add_argument("--divide", type=int, default=60, help="divides the windows of burn rates (%(default)s)")
    parser.add_argument("--state", type=Path, default=_STATE, help="directory of the drill's stack (%(default)s)")
    given = parser.parse_args(arguments)
    if unknown := set(given.scenarios) - set(names):
        parser.error(f"unknown scenarios: {', '.join(sorted(unknown))}; choose from {', '.join(names)}")
    return given


async def drill(given: argparse.Namespace, console: Console) -> list[Result]:
    """The results of the healthy time and of every chosen scenario."""
    stack = open_stack(given.state)
    services, monitoring = Services(stack, given.state), Monitoring(given.state)
    try:
        await stack.start()
        await services.start()
        targets = {
            "control_plane": [_address(services.control_plane.urls[0])],
            "data_plane": [_address(each.urls[0]) for each in services.data_planes],
            "audit_consumer": [_address(services.audit_consumer.urls[0])],
        }
        headers = {"Authorization": f"Bearer {services.admin_key.text()}"}
        async with httpx2.AsyncClient(trust_env=False, timeout=5, headers=headers) as http:
            load = Load(
                http,
                services.control_plane.urls[0],
                [each.urls[0] for each in services.data_planes],
                services.audit_consumer.urls[0],
            )
            await load.prepare()
            async with load.running():
                await asyncio.sleep(_SETTLE_SECONDS)  # the first requests warm the caches, and are not measured
                await monitoring.start(targets, given.divide)
                return await _all(given, console, stack, load, AlertWatch(monitoring, http))
    finally:
        await monitoring.stop()
        await services.stop()
        await stack.stop()


async def _all(
    given: argparse.Namespace, console: Console, stack: Stack, load: Load, watch: AlertWatch
) -> list[Result]:
    console.print(f"A healthy stack under load for {given.healthy_seconds:.0f} s")
    results = [await runner.healthy(watch, given.healthy_seconds)]
    for scenario in SCENARIOS:
        if not given.scenarios or scenario.name in given.scenarios:
            console.print(f"{scenario.name}: waiting for {scenario.alert}")
            results.append(await runner.run(scenario, stack, load, watch, Scale(given.divide)))
            console.print(_table(results[-1:]))
    return results


def _address(url: str) -> str:
    return url.removeprefix("http://")


def _table(results: list[Result]) -> Table:
    table = Table(
        "scenario", "alert", "condition after", "arrived after", "limit", "resolved after", "other pages", "tickets", ""
    )
    for each in results:
        is_healthy = each.alert == "none"
        passed = not each.other_pages and not each.tickets if is_healthy else each.passed
        table.add_row(
            each.name,
            each.alert.removeprefix("TrafficManager"),
            _seconds(each.to_condition),
            _seconds(each.condition_to_arrival),
            _seconds(each.limit or None),
            _seconds(each.to_resolved),
            _names(each.other_pages),
            _names(each.tickets),
            "passed" if passed else "FAILED",
        )
    return table


def _seconds(value: float | None) -> str:
    return "-" if value is None else f"{value:.1f} s"


def _names(names: set[str]) -> str:
    return ", ".join(sorted(name.removeprefix("TrafficManager") for name in names)) or "none"


def main(arguments: Sequence[str] | None = None) -> int:
    """The exit code: 0 if everything passed, else 1."""
    given, console = _arguments(arguments), Console(width=None if sys.stdout.isatty() else 240)
    try:
        require_programs()
        results = asyncio.run(drill(given, console))
    except LocalServerError as error:
        console.print(str(error), style="red", markup=False)
        return 1
    console.print(_table(results))
    quiet = not results[0].other_pages and not results[0].tickets
    return 0 if quiet and all(each.passed for each in results[1:]) else 1


if __name__ == "__main__":
    sys.exit(main())
