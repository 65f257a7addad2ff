"""Measurements as rows: figures, their ratio to another row of the same run, goals, and whether the goals are met."""

import json
import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from enum import StrEnum
from pathlib import Path

from rich.table import Table


class Figure(StrEnum):
    """The figure of a row that a goal limits."""

    VALUE = "value"
    RATIO = "ratio"
    P99_RATIO = "p99_ratio"


@dataclass(frozen=True, slots=True)
class Goal:
    """A figure of a row, and the limit it has to keep."""

    figure: Figure
    at_least: float = -math.inf
    at_most: float = math.inf

    def __str__(self) -> str:
        sign, limit = ("<=", self.at_most) if self.at_most < math.inf else (">=", self.at_least)
        return f"{self.figure.replace('_', ' ')} {sign} {limit:,g}"

    def is_met_by(self, figure: float) -> bool:
        """Whether this figure keeps the limit."""
        return self.at_least <= figure <= self.at_most


@dataclass(frozen=True, slots=True)
class Row:
    """One measurement. `ratio`: to the row named `beside`.

    `skipped` says why there is no value; `failed`, why there is none although there should be.
    """

    name: str
    unit: str
    value: float | None = None
    p99_ms: float | None = None
    newer_than: str = ""
    ratio: float | None = None
    p99_ratio: float | None = None
    goals: tuple[Goal, ...] = ()
    skipped: str = ""
    failed: str = ""

    @property
    def met(self) -> bool | None:
        """Whether all its goals are met. None: it has none, or they could not be measured."""
        if self.failed:
            return False
        figures = [getattr(self, each.figure) for each in self.goals]
        if not figures or None in figures:
            return None
        return all(goal.is_met_by(figure) for goal, figure in zip(self.goals, figures, strict=True))

    @property
    def goal(self) -> str:
        """Its goals as text."""
        return ", ".join(map(str, self.goals))


def skipped(name: str, unit: str, why: str) -> Row:
    """A row without a measurement, and the reason."""
    return Row(name, unit, skipped=why)


def table_of(rows: Sequence[Row]) -> Table:
    """The rows as a table."""
    table = Table("what", "value", "unit", "p99 ms", "ratio", "p99 ratio", "beside", "goal", "met")
    for row in rows:
        value = row.skipped or row.failed or _number(row.value)
        table.add_row(
            row.name, value, row.unit, *(_number(each) for each in (row.p99_ms, row.ratio, row.p99_ratio)),
            row.newer_than, row.goal, {None: "", True: "yes", False: "NO"}[row.met],
        )  # fmt: skip
    return table


def write(rows: Sequence[Row], path: Path) -> None:
    """Write the rows as JSON, each with its goals and whether they were met."""
    documents = [{**asdict(row), "goals": row.goal, "met": row.met} for row in rows]
    path.write_text(json.dumps(documents, indent=2) + "\n")


def _number(value: float | None) -> str:
    if value is None:
        return ""
    return f"{value:,.0f}" if value >= 1000 else f"{value:.3g}"
