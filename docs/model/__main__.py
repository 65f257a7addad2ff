"""Checks the model of freshness with spin, and that each safeguard is needed: `make model`, or with the names of some cases.

Every interleaving of each bounded case is searched. A case without a safeguard must break an invariant, and its shortest
trail is printed. Exits with 1 if a case ends otherwise than it must, and with 2 if spin or a C compiler is missing.
"""

import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

MODEL = Path(__file__).with_name("freshness.pml")
_MEMORY_MB = 4_000
_STATES = re.compile(r"(\d+) states, stored")
_INVARIANTS = {
    "answered": "MONOTONIC",
    "i<=now": "BOUND",
    "applied_anywhere": "L2",
    "value_at": "CONVERGED",
    "i<end": "PUBLISHED",
}
"""The invariant of an assertion, by a part of its text in spin's report."""


@dataclass(frozen=True, slots=True)
class Case:
    """Bounds of what may happen. `without`: the safeguard that is taken out, and then `breaks` must be broken."""

    name: str
    commits: int
    failovers: int = 0
    heartbeats: int = 1
    restarts: int = 0
    evictions: int = 0
    l2_losses: int = 0
    loads: int = 3
    without: str = ""
    breaks: str = ""

    def symbols(self) -> list[str]:
        """The definitions for spin."""
        bounds = {
            "COMMITS": self.commits,
            "FAILOVERS": self.failovers,
            "HEARTBEATS": self.heartbeats,
            "RESTARTS": self.restarts,
            "EVICTIONS": self.evictions,
            "L2_LOSSES": self.l2_losses,
            "LOADS": self.loads,
        }
        return [
            *(f"-D{name}={value}" for name, value in bounds.items()),
            *([f"-D{self.without}"] if self.without else []),
        ]


CASES = (
    Case("eviction", commits=2, evictions=1),
    Case("restart", commits=1, failovers=1, heartbeats=2, restarts=1, l2_losses=1, loads=2),
    Case("failover", commits=2, failovers=1, evictions=1, loads=2),
    Case("no-compare-and-set", commits=2, evictions=1, without="NO_CAS", breaks="MONOTONIC"),
    Case("no-redis-first", commits=2, evictions=1, without="NO_L2_FIRST", breaks="L2"),
    Case("no-refused-fills", commits=2, evictions=1, without="NO_REFUSED_FILLS", breaks="MONOTONIC"),
    Case("no-drain", commits=2, evictions=1, without="NO_DRAIN", breaks="BOUND"),
    Case("no-epoch", commits=2, failovers=1, evictions=1, loads=2, without="NO_EPOCH", breaks="BOUND"),
    Case(
        "no-noted-offsets",
        commits=1,
        failovers=1,
        heartbeats=2,
        restarts=1,
        l2_losses=1,
        loads=2,
        without="NO_NOTED_OFFSETS",
        breaks="BOUND",
    ),
)


@dataclass(frozen=True, slots=True)
class Result:
    """The number of states searched, the invariant that was broken ("" if none was), and the trail to it."""

    states: int
    broken: str
    trail: str


def search(case: Case) -> Result:
    """Search all states of the case; the shortest trail first where an invariant has to be broken."""
    with tempfile.TemporaryDirectory() as directory:
        here = Path(directory)
        shutil.copy(MODEL, here)
        _run(here, "spin", "-a", *case.symbols(), MODEL.name)
        options = ["-DSAFETY", "-DCOLLAPSE", "-DNOREDUCE", f"-DMEMLIM={_MEMORY_MB}"]
        _run(here, "gcc", "-O2", "-w", *options, *(["-DBFS"] if case.without else []), "-o", "pan", "pan.c")
        report = _run(here, "./pan", "-E", "-m100000", "-w24")
        found = _STATES.search(report)
        if found is None or "Search not completed" in report.replace("Warning: Search not completed\n\t+", "", 1):
            raise SystemExit(f"{case.name}: the search did not end:\n{report}")
        broken = next((line for line in report.splitlines() if "assertion violated" in line), "")
        trail = _run(here, "spin", "-t", "-T", *case.symbols(), MODEL.name) if broken else ""
        return Result(int(found.group(1)), _invariant(broken), trail)


def _invariant(assertion: str) -> str:
    return next((name for text, name in _INVARIANTS.items() if text in assertion), assertion)


def _run(directory: Path, *command: str) -> str:
    done = subprocess.run(command, cwd=directory, capture_output=True, text=True, check=False)  # noqa: S603 - own programs
    if done.returncode not in (0, 1) or (command[0] == "gcc" and done.returncode):
        raise SystemExit(f"{' '.join(command)} failed:\n{done.stdout}{done.stderr}")
    return done.stdout


def main(names: Sequence[str]) -> int:
    """Check the cases with these names, all by default. Returns the exit code."""
    missing = [program for program in ("spin", "gcc") if shutil.which(program) is None]
    if missing:
        sys.stderr.write(
            f"{' and '.join(missing)} not found; install it (Debian: apt-get install spin gcc libc6-dev)\n"
        )
        return 2
    wrong = 0
    for case in CASES:
        if names and case.name not in names:
            continue
        result = search(case)
        ok = result.broken == case.breaks
        wrong += not ok
        ended = f"breaks {result.broken}" if result.broken else "keeps every invariant"
        sys.stdout.write(f"{case.name}: {ended}, {result.states:,} states{'' if ok else '  <-- NOT AS IT MUST BE'}\n")
        sys.stdout.write("".join(f"    {line.strip()}\n" for line in result.trail.splitlines() if _is_step(line)))
    return 1 if wrong else 0


def _is_step(line: str) -> bool:
    return line.strip().startswith(("moment", "the ", "resolver", "Redis"))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
