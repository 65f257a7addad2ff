"""Writes the addresses of the local stack for Prometheus's file discovery: `python -m deploy.prometheus.targets`."""

import json
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from deploy.local.settings import DEFAULT_STATE

JOBS = {
    "TM_CONTROL_PLANE_URL": "control_plane",
    "TM_DATA_PLANE_URLS": "data_plane",
    "TM_AUDIT_URL": "audit_consumer",
}
FILE = DEFAULT_STATE / "prometheus-targets" / "local.json"


def targets(environment: Mapping[str, str]) -> list[dict[str, Any]]:
    """The services' addresses by job, from the variables in `.local/env`."""
    return [
        {"targets": [url.split("://")[-1] for url in environment[name].split(",")], "labels": {"job": job}}
        for name, job in JOBS.items()
        if environment.get(name)
    ]


def read_environment(file: Path) -> dict[str, str]:
    """The variables of a file of `KEY=value` lines; empty if there is none."""
    if not file.exists():
        return {}
    return dict(line.replace("'", "").split("=", 1) for line in file.read_text().splitlines() if "=" in line)


def main() -> int:
    """The exit code: 1 if the local stack is not running."""
    found = targets(read_environment(DEFAULT_STATE / "env"))
    if not found:
        sys.stderr.write("The local stack is not running, so there are no addresses to scrape: make up\n")
        return 1
    FILE.parent.mkdir(parents=True, exist_ok=True)
    FILE.write_text(json.dumps(found, indent=1))
    sys.stdout.write(f"{FILE}\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
