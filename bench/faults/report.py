"""The report of a run: what was done, what is promised, what was seen."""

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from rich.console import Console
from rich.table import Table

from bench.faults.load import Rates
from bench.faults.row import Row
from bench.faults.trial import Check


@dataclass(frozen=True, slots=True)
class Finding:
    """What one row has found. `failure`: the error that ended it early, if any."""

    row: Row
    seconds: float
    took: float
    checks: Sequence[Check]
    notes: Sequence[str]
    failure: str = ""

    @property
    def kept(self) -> bool:
        """Whether every promise was kept. A row without any check has shown nothing."""
        return not self.failure and bool(self.checks) and all(each.kept for each in self.checks)

    @property
    def verdict(self) -> str:
        """As the report says it."""
        return "kept" if self.kept else "BROKEN"

    @property
    def lasted(self) -> str:
        """The duration of the fault, and the full one where it was compressed."""
        full = f" instead of {self.row.seconds:g} s" if self.seconds != self.row.seconds else ""
        return f"{self.seconds:g} s{full}"


@dataclass(frozen=True, slots=True)
class Report:
    """The findings of all rows, in their order."""

    rates: Rates
    findings: Sequence[Finding]

    @property
    def broken(self) -> Sequence[Finding]:
        """The rows that broke a promise."""
        return [each for each in self.findings if not each.kept]

    @property
    def heading(self) -> str:
        """The load, and whether durations were compressed."""
        load = (
            f"R = {self.rates.resolves:g} resolves per second, Zipf over {self.rates.routes:,} routes, 2 resolvers; "
            f"W = {self.rates.writes:g} writes per second over {self.rates.tenants} tenants."
        )
        compressed = any(each.seconds != each.row.seconds for each in self.findings)
        return f"{load} Durations are compressed." if compressed else f"{load} Full durations."

    def markdown(self) -> str:
        """The table, and below it every check and note."""
        lines = [
            "# Fault tests",
            "",
            self.heading,
            "",
            "| # | fault | lasted | promised | verdict |",
            "|---|---|---|---|---|",
        ]
        lines += [
            f"| {each.row.number} | {each.row.fault} | {each.lasted} | {each.row.promise} | {each.verdict} |"
            for each in self.findings
        ]
        for each in self.findings:
            lines += ["", f"## {each.row.number}. {each.row.fault}: {each.verdict}", "", f"Took {each.took:.0f} s.", ""]
            lines += ["| promised | seen | |", "|---|---|---|"]
            lines += [
                f"| {_cell(check.promise)} | {_cell(check.seen)} | {'kept' if check.kept else 'BROKEN'} |"
                for check in each.checks
            ]
            lines += ["", *(f"- {note}" for note in each.notes)]
            lines += [f"- The row ended early: {each.failure}"] if each.failure else []
        return "\n".join([*lines, ""])

    def document(self) -> str:
        """The same as JSON."""
        rows = [
            {
                "row": each.row.number,
                "fault": each.row.fault,
                "promise": each.row.promise,
                "seconds": each.seconds,
                "full_seconds": each.row.seconds,
                "kept": each.kept,
                "checks": [asdict(check) for check in each.checks],
                "notes": list(each.notes),
                "failure": each.failure,
            }
            for each in self.findings
        ]
        return json.dumps({"rates": asdict(self.rates), "rows": rows}, indent=2) + "\n"

    def write(self, folder: Path) -> Path:
        """Write `faults-report.md` and `faults-report.json`; returns the former."""
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "faults-report.json").write_text(self.document())
        path = folder / "faults-report.md"
        path.write_text(self.markdown())
        return path


def print_finding(console: Console, finding: Finding) -> None:
    """One row, as soon as it has ended."""
    table = Table(
        title=f"{finding.row.number}. {finding.row.fault} ({finding.lasted}): {finding.verdict}", title_justify="left"
    )
    for name in ("promised", "seen", ""):
        table.add_column(name, overflow="fold")
    for check in finding.checks:
        table.add_row(check.promise, check.seen, "kept" if check.kept else "BROKEN")
    console.print(table)
    for note in finding.notes:
        console.print(f"  {note}", markup=False)
    if finding.failure:
        console.print(f"  ended early: {finding.failure}", markup=False)


def _cell(text: str) -> str:
    return text.replace("|", "\\|").replace("\n", " ")
