"""One run of wrk, read into numbers."""

import re
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

KEYS = Path(__file__).with_name("keys.lua")
NOTHING = Path(__file__).with_name("nothing.lua")
PATIENCE_SECONDS = 10
"""An answer that takes longer counts as broken; a busy machine should show as a low rate, not as errors."""
_UNITS = {"us": 0.001, "ms": 1.0, "s": 1000.0}


@dataclass(frozen=True, slots=True)
class Load:
    """What wrk saw: requests a second, latency in milliseconds, answers, and what went wrong.

    `refused`: answers that were not 2xx or 3xx. `broken`: connections that failed or broke off, and answers that were given up.
    """

    rps: float
    p50_ms: float
    p99_ms: float
    answers: int
    refused: int = 0
    broken: int = 0

    @property
    def errors(self) -> int:
        """All that went wrong."""
        return self.refused + self.broken


def is_installed() -> bool:
    """Whether there is a wrk to run (Debian: apt-get install wrk)."""
    return shutil.which("wrk") is not None


def drive(url: str, *, routes: int, seconds: int, key: str, connections: int = 64, script: Path = KEYS) -> Load:
    """Resolve `routes` different routes at a base URL with one thread of wrk and this access key; or do what another
    script says.

    Raises CalledProcessError when wrk fails.
    """
    command = [
        "wrk",
        "-t1",
        f"-c{connections}",
        f"-d{seconds}s",
        "--latency",
        "--timeout",
        f"{PATIENCE_SECONDS}s",
        "-s",
        str(script),
        url,
        "--",
        str(routes),
        key,
    ]
    return read_report(subprocess.run(command, capture_output=True, text=True, check=True, timeout=seconds + 30).stdout)


def read_report(report: str) -> Load:
    """What wrk printed. Raises ValueError when it tells of no answers."""
    refused = re.search(r"Non-2xx or 3xx responses: (\d+)", report)
    broken = re.search(r"Socket errors: connect (\d+), read (\d+), write (\d+), timeout (\d+)", report)
    return Load(
        rps=float(_first(r"Requests/sec:\s+([\d.]+)", report)),
        p50_ms=_milliseconds(_first(r"(?m)^\s+50%\s+(\S+)", report)),
        p99_ms=_milliseconds(_first(r"(?m)^\s+99%\s+(\S+)", report)),
        answers=int(_first(r"(\d+) requests in", report)),
        refused=int(refused.group(1)) if refused else 0,
        broken=sum(map(int, broken.groups())) if broken else 0,
    )


def _first(pattern: str, report: str) -> str:
    found = re.search(pattern, report)
    if found is None or "nan" in found.group(1):
        raise ValueError(f"wrk's report does not tell {pattern}; were any requests answered? {report}")
    return found.group(1)


def _milliseconds(text: str) -> float:
    number, unit = re.fullmatch(r"([\d.]+)(us|ms|s)", text).groups()  # type: ignore[union-attr]
    return float(number) * _UNITS[unit]
