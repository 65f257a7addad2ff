"""`make demo` runs the product's main job on the local stack, step by step.

It applies a catalogue, resolves it in every layer, changes it, measures when the change arrives, and queries the audit trail.
Each step checks its results; the exit code is 0 if all steps succeeded.
"""

import asyncio
import sys

import httpx2
from rich.console import Console
from rich.table import Table

from deploy.local.errors import LocalServerError
from deploy.local.settings import DEFAULT_STATE
from examples.demo.access import create_keys
from examples.demo.caches import apply_catalogue, resolve_through_every_layer, restart_from_snapshot
from examples.demo.changes import deactivate_route, move_route, query_audit_trail
from examples.demo.client import DemoClient
from examples.demo.stage import TIMEOUT_SECONDS, DemoFailed, Stage
from examples.local_urls import LocalUrls
from shared.runtime.redaction import redact_output

STEPS = (
    create_keys,
    apply_catalogue,
    resolve_through_every_layer,
    restart_from_snapshot,
    move_route,
    deactivate_route,
    query_audit_trail,
)


async def run(console: Console) -> None:
    """Run every step. Raises the error of the first step that fails."""
    urls = LocalUrls.read(DEFAULT_STATE)
    async with httpx2.AsyncClient(trust_env=False, timeout=TIMEOUT_SECONDS) as http:
        stage = Stage(DemoClient(urls, http), console)
        for number, step in enumerate(STEPS, start=1):
            console.print(f"\n[bold]{number}. {step.__doc__}[/bold]")
            await step(stage)
    console.print("\n[bold green]Every step succeeded.[/bold green]")
    _show_addresses(urls, console)


def _show_addresses(urls: LocalUrls, console: Console) -> None:
    table = Table("service", "address", "API description", box=None)
    for name, url in urls.named().items():
        table.add_row(name, url, f"{url}/schema")
    console.print(table)
    console.print(
        "Rules for Prometheus: deploy/prometheus/rules. Dashboards: import deploy/grafana/*.json into Grafana.",
        style="dim",
    )
    console.print(
        "With Docker: make observability && docker compose -f deploy/docker/observability/compose.yaml up", style="dim"
    )
    console.print("Addresses and the admin's key, to source: .local/env. Stop everything: make down", style="dim")


def main() -> int:
    """The exit code: 0 if every step succeeded, else 1."""
    redact_output()
    console = Console()
    try:
        asyncio.run(run(console))
    except (DemoFailed, LocalServerError, httpx2.HTTPError, TimeoutError) as error:
        console.print(f"[bold red]The demo failed:[/bold red] {error or type(error).__name__}", highlight=False)
        console.print("make logs shows the services' logs, make status what is running.")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
