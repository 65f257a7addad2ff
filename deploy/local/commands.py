"""The commands behind `make up`, `make down`, `make status` and `make logs`."""

import time
from pathlib import Path

from rich.console import Console

from deploy.local.errors import LocalServerError
from deploy.local.leftovers import stop_all_but
from deploy.local.logs import follow, log_files, print_tails
from deploy.local.progress import Progress, progress_on
from deploy.local.services import Services
from deploy.local.stack import Stack, open_stack
from deploy.local.state import StateDirectory
from deploy.local.status_table import status_table

SUCCESS, NOT_RUNNING = 0, 3


async def up(state: Path, console: Console, servers_only: bool) -> int:
    """Start every stopped server and service, and write the environment file."""
    began = time.monotonic()
    stack = open_stack(state)
    services = Services(stack, state)
    with stack.state.exclusive_command(on_wait=lambda: _print_waiting(console)):
        try:
            with progress_on(console) as progress:
                await _start(stack, services, progress, servers_only)
        except LocalServerError:
            console.print("Servers that started keep running. make status lists them, make down stops them.")
            raise
        finally:
            stack.state.write_environment(await services.running_environment())
    console.print(
        f"Started in {time.monotonic() - began:.1f} s. Addresses and keys: {stack.state.environment}",
        highlight=False,
        soft_wrap=True,
    )
    return SUCCESS


async def _start(stack: Stack, services: Services, progress: Progress, servers_only: bool) -> None:
    if servers_only:
        await stack.start(progress)
    else:
        await stack.start(progress, on_postgres=(services.migration, services.admin_key))
        await services.start_on_migrated_database(progress)


def _print_waiting(console: Console) -> None:
    console.print("Another command is changing this stack; waiting for it to finish")


async def down(state: Path, console: Console, purge: bool) -> int:
    """Stop all processes of this state directory, including those of a killed command."""
    if not StateDirectory(state).exists():
        console.print(f"Nothing to stop: {state} does not exist.", highlight=False)
        return SUCCESS
    stack = open_stack(state)
    with stack.state.exclusive_command(on_wait=lambda: _print_waiting(console)):
        await stop_all_but({server.name for server in stack.own}, stack.state)
        await stack.stop()
        stack.state.environment.unlink(missing_ok=True)
    if purge:
        stack.purge()
    console.print(
        "Stopped. Data and logs are deleted." if purge else f"Stopped. The data stays in {state}.", highlight=False
    )
    return SUCCESS


async def status(state: Path, console: Console) -> int:
    """Print the state of every server and service. Returns `NOT_RUNNING` unless all started ones are running."""
    if not StateDirectory(state).exists():
        console.print("Nothing was started yet. make up starts everything.")
        return NOT_RUNNING
    stack = open_stack(state)
    table, conditions = await status_table((*stack.servers, *Services(stack, state).servers), stack.state)
    console.print(table)
    if conditions == {"stopped"}:
        console.print("Nothing is running. make up starts everything.")
        return NOT_RUNNING
    if conditions & {"ended", "frozen"}:
        console.print("Something failed or is frozen. make logs shows why, make up starts it again.")
        return NOT_RUNNING
    return SUCCESS


def logs(state: Path, console: Console, name: str | None, and_follow: bool) -> int:
    """Print the end of one log or of all logs, then follow them if `and_follow` is set."""

    def write(line: str) -> None:
        console.out(line, highlight=False)

    files = log_files(StateDirectory(state), name)
    print_tails(files, write)
    if and_follow:
        follow(files, write)
    return SUCCESS
