"""Runs the local stack: PostgreSQL with a replica, Redis, Kafka, MongoDB, and the three services."""

import argparse
import asyncio
import logging
import sys
from collections.abc import Sequence
from pathlib import Path

from rich.console import Console

from deploy.local import commands
from deploy.local.errors import LocalServerError
from deploy.local.settings import DEFAULT_STATE
from shared.runtime.redaction import redact_output

FAILED, INTERRUPTED = 1, 130
_PIPE_WIDTH = 240  # rich would fold tables at 80 columns in pipes


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m deploy.local", description=__doc__)
    parser.add_argument("--state", type=Path, default=DEFAULT_STATE, help="directory of data and logs (%(default)s)")
    which = parser.add_subparsers(dest="command", required=True)
    up = which.add_parser("up", help="start every stopped server and service")
    up.add_argument("--servers-only", action="store_true", help="start only the servers")
    down = which.add_parser("down", help="stop everything")
    down.add_argument("--purge", action="store_true", help="also delete data and logs")
    which.add_parser("status", help="show every server and service")
    logs = which.add_parser("logs", help="show the end of the logs")
    logs.add_argument("name", nargs="?", help="one server or service (default: all)")
    logs.add_argument("-f", "--follow", action="store_true", help="also print new lines")
    return parser


def _run(arguments: argparse.Namespace, console: Console) -> int:
    if arguments.command == "up":
        return asyncio.run(commands.up(arguments.state, console, arguments.servers_only))
    if arguments.command == "down":
        return asyncio.run(commands.down(arguments.state, console, arguments.purge))
    if arguments.command == "status":
        return asyncio.run(commands.status(arguments.state, console))
    return commands.logs(arguments.state, console, arguments.name, arguments.follow)


def main(arguments: Sequence[str] | None = None) -> int:
    """The exit code: 0; 1 after a failure; 3 if something is not running; 130 after an interrupt."""
    logging.getLogger("aiokafka").addHandler(logging.NullHandler())  # connection errors during a start are expected
    redact_output()
    console = Console(width=None if sys.stdout.isatty() else _PIPE_WIDTH)
    try:
        return _run(_parser().parse_args(arguments), console)
    except LocalServerError as error:
        console.print(str(error), style="red", markup=False, highlight=False, soft_wrap=True)
        return FAILED
    except KeyboardInterrupt:
        return INTERRUPTED


if __name__ == "__main__":
    sys.exit(main())
