"""The table of the status command."""

from collections.abc import Sequence
from pathlib import Path

from rich.table import Table

from deploy.local.server import Condition, Server
from deploy.local.state import StateDirectory
from shared.runtime.redaction import redact

_COLOURS: dict[Condition, str] = {"running": "green", "frozen": "yellow", "ended": "red", "stopped": "dim"}


async def status_table(servers: Sequence[Server], state: StateDirectory) -> tuple[Table, set[Condition]]:
    """The table, and the set of conditions in it."""
    table = Table(box=None, header_style="bold", pad_edge=False)
    for title in ("name", "state", "pid", "url", "log"):
        table.add_column(title, overflow="fold")
    conditions: set[Condition] = set()
    for server in servers:
        condition = await server.condition()
        conditions.add(condition)
        table.add_row(
            server.name,
            f"[{_COLOURS[condition]}]{condition}",
            str(server.pid or ""),
            "\n".join(map(redact, server.urls)) if condition != "stopped" else "",
            _shortest(state.log(server.name)) if state.log(server.name).exists() else "",
        )
    return table, conditions


def _shortest(path: Path) -> str:
    here = Path.cwd()
    return str(path.relative_to(here)) if path.is_relative_to(here) else str(path)
