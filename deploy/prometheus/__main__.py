"""Writes the rules, their unit tests and the operator's PrometheusRule: `python -m deploy.prometheus`, or `make rules`."""

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from deploy.prometheus import files

HERE = Path(__file__).parent


def main(arguments: Sequence[str] | None = None) -> int:
    """The exit code: 0, or 1 if `--check` finds an old file."""
    parser = argparse.ArgumentParser(prog="python -m deploy.prometheus", description=__doc__)
    parser.add_argument("--check", action="store_true", help="write nothing; fail if a file is out of date")
    parser.add_argument("--output", type=Path, help="write the rules alone, into this directory")
    parser.add_argument("--divide", type=int, default=1, help="divide the windows, for drills (%(default)s)")
    parser.add_argument("--runbooks", help="base URL of the runbooks")
    parser.add_argument("--dashboards", help="base URL of the dashboards")
    given = parser.parse_args(arguments)
    if given.output:
        links = {"runbooks": given.runbooks, "dashboards": given.dashboards}
        files.write(files.rules(given.divide, {key: url for key, url in links.items() if url}), given.output)
        return 0
    if given.check:
        old = files.outdated(files.everything())
        for path in old:
            sys.stderr.write(f"{path} is out of date: run `make rules`\n")
        return 1 if old else 0
    files.write(files.everything(), files.REPOSITORY)
    return 0


if __name__ == "__main__":
    sys.exit(main())
