"""Runs wrk and parses its report."""

import re
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

KEYS = Path(__file__).with_name("keys.lua")
UNKNOWN_ROUTES = "nothing"
"""As `name`: requests for routes that do not exist."""
PATIENCE_SECONDS = 10
"""Timeout of a request; long, so that a busy machine shows as a low rate and not as errors."""
_UNITS = {"us": 0.001, "ms": 1.0, "s": 1000.0}


@dataclass(frozen=True, slots=True)
class Load:
    """One report: requests per second, latency in milliseconds, number of responses, and errors.

    `refused`: responses other than 2xx and 3xx. `broken`: failed connections and timeouts.
    """

    rps: float
    p50_ms: float
    p99_ms: float
    answers: int
    refused: int = 0
    broken: int = 0

    @property
    def errors(self) -> int:
        """All errors."""
        return self.refused + self.broken


def is_installed() -> bool:
    """Whether wrk is on the PATH (Debian: apt-get install wrk)."""
    return shutil.which("wrk") is not None


def drive(
    url: str,
    *,
    routes: int,
    seconds: int,
    key: str,
    connections: int = 64,
    script: Path = KEYS,
    name: str = "service",
) -> Load:
    """Run a script against a base URL with one thread: it gets the number of routes, the access key and the name.

    `keys.lua` resolves the routes. Raises CalledProcessError if wrk fails.
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
        name,
    ]
    return read_report(subprocess.run(command, capture_output=True, text=True, check=True, timeout=seconds + 30).stdout)


def read_report(report: str) -> Load:
    """Parse the output of wrk. Raises ValueError if it reports no responses."""
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
        raise ValueError(f"wrk's report has no match for {pattern}; did it get any response? {report}")
    return found.group(1)


def _milliseconds(text: str) -> float:
    number, unit = re.fullmatch(r"([\d.]+)(us|ms|s)", text).groups()  # type: ignore[union-attr]
    return float(number) * _UNITS[unit]
