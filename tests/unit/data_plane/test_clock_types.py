"""Local and primary times are different types: mypy refuses one in place of the other."""

import subprocess
import sys
from pathlib import Path

_ROOT = Path(__file__).parents[3]
_PROGRAM = """
from data_plane.domain.entry import Entry, State
from data_plane.domain.remote_clock import PrimaryClock, PrimaryTime
from data_plane.service.cache.staleness import StalenessBounds
from shared.runtime.clock import BootTime, LocalTime, SystemClock
from shared.schemas.identity import RouteKey

def use(local: LocalTime, primary: PrimaryTime, boot: BootTime, clock: PrimaryClock, bounds: StalenessBounds) -> None:
    key = RouteKey("team-a", "payments", "prod", "v1")
    Entry(key, State.ABSENT, None, 7, read_at=local, expires_at=local, proven_at=primary)
    Entry(key, State.ABSENT, None, 7, read_at=primary, expires_at=local, proven_at=local)  # refused
    Entry(key, State.ABSENT, None, 7, read_at=boot, expires_at=local, proven_at=primary)  # refused
    Entry(key, State.ABSENT, None, 7, read_at=1.5, expires_at=local, proven_at=primary)  # refused
    bounds.age(primary, local)
    bounds.age(local, primary)  # refused
    clock.observe(sent=local, received=SystemClock().monotonic(), remote=primary)
    clock.observe(sent=primary, received=local, remote=local)  # refused
    clock.latest(SystemClock().since_boot())  # refused
"""


def test_mypy_refuses_a_time_of_another_clock(tmp_path: Path) -> None:
    program = tmp_path / "uses_clock_types.py"
    program.write_text(_PROGRAM)
    command = [sys.executable, "-m", "mypy", "--no-pretty", "--no-error-summary", str(program)]
    checked = subprocess.run(  # noqa: S603
        command, cwd=_ROOT, env={"MYPYPATH": str(_ROOT)}, capture_output=True, text=True, check=False
    )
    refused = {int(line.split(":")[1]) for line in checked.stdout.splitlines() if ": error:" in line}
    expected = {number for number, line in enumerate(_PROGRAM.splitlines(), start=1) if "# refused" in line}
    assert refused == expected, checked.stdout + checked.stderr
