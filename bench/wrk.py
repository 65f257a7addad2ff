"""One run of wrk, read into numbers."""

import re
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

KEYS = Path(__file__).with_name("keys.lua")
NOTHING = Path(__file__).with_name("nothing.lua")
_UNITS = {"us": 0.001, "ms": 1.0, "s": 1000.0}


@dataclass(frozen=True, slots=True)
class Load:
    """What wrk saw: requests a second, latency in milliseconds, answers, and those of them that were not 2xx."""

    rps: float
    p50_ms: float
    p99_ms: float
    answers: int
    errors: int


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
        "-s",
        str(script),
        url,
        "--",
        str(routes),
        key,
    ]
    return _read(subprocess.run(command, capture_output=True, text=True, check=True, timeout=seconds + 30).stdout)


def _read(report: str) -> Load:
    errors = re.search(r"Non-2xx or 3xx responses: (\d+)", report)
    return Load(
        rps=float(_first(r"Requests/sec:\s+([\d.]+)", report)),
        p50_ms=_milliseconds(_first(r"(?m)^\s+50%\s+(\S+)", report)),
        p99_ms=_milliseconds(_first(r"(?m)^\s+99%\s+(\S+)", report)),
        answers=int(_first(r"(\d+) requests in", report)),
        errors=int(errors.group(1)) if errors else 0,
    )


def _first(pattern: str, report: str) -> str:
    found = re.search(pattern, report)
    if found is None or "nan" in found.group(1):
        raise ValueError(f"wrk's report does not tell {pattern}; were any requests answered? {report}")
    return found.group(1)


def _milliseconds(text: str) -> float:
    number, unit = re.fullmatch(r"([\d.]+)(us|ms|s)", text).groups()  # type: ignore[union-attr]
    return float(number) * _UNITS[unit]
