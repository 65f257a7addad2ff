"""Measurements as rows: what, how much, of what else in the same run, and the goal."""

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from rich.table import Table


@dataclass(frozen=True, slots=True)
class Row:
    """One measurement. `ratio` is to the row named `beside`; `skipped` says why there is no value."""

    name: str
    unit: str
    value: float | None = None
    p99_ms: float | None = None
    beside: str = ""
    ratio: float | None = None
    p99_ratio: float | None = None
    goal: str = ""
    skipped: str = ""


def skipped(name: str, unit: str, why: str) -> Row:
    """A row for what could not be measured here."""
    return Row(name, unit, skipped=why)


def table_of(rows: Sequence[Row]) -> Table:
    """The rows for people."""
    table = Table("what", "value", "unit", "p99 ms", "ratio", "p99 ratio", "beside", "goal")
    for row in rows:
        value = row.skipped or _number(row.value)
        table.add_row(
            row.name, value, row.unit, *(_number(each) for each in (row.p99_ms, row.ratio, row.p99_ratio)),
            row.beside, row.goal,
        )  # fmt: skip
    return table


def write(rows: Sequence[Row], path: Path) -> None:
    """The rows for machines."""
    path.write_text(json.dumps([asdict(row) for row in rows], indent=2) + "\n")


def _number(value: float | None) -> str:
    if value is None:
        return ""
    return f"{value:,.0f}" if value >= 1000 else f"{value:.3g}"
