"""The commands behind `make up`, `make down`, `make status` and `make logs`."""

import time
from pathlib import Path

from rich.console import Console

from deploy.local.errors import LocalServerError
from deploy.local.leftovers import stop_all_but
from deploy.local.logs import follow, log_files, print_tails
from deploy.local.overview import overview
from deploy.local.progress import Progress, shown_on
from deploy.local.services import Services
from deploy.local.stack import Stack, open_stack
from deploy.local.state import StateDirectory

SUCCESS, NOT_RUNNING = 0, 3


async def up(state: Path, console: Console, servers_only: bool) -> int:
    """Start what does not run, and write the file to source."""
    began = time.monotonic()
    stack = open_stack(state)
    services = Services(stack, state)
    with stack.state.one_command(waits=lambda: _say_waiting(console)):
        try:
            with shown_on(console) as progress:
                await _start(stack, services, progress, servers_only)
        except LocalServerError:
            console.print("What did start keeps running: make status shows it, make down stops it")
            raise
        finally:
            stack.state.write_environment(await services.env_of_running())
    console.print(
        f"Up after {time.monotonic() - began:.1f} s. Where everything is: {stack.state.environment}",
        highlight=False,
        soft_wrap=True,
    )
    return SUCCESS


async def _start(stack: Stack, services: Services, progress: Progress, servers_only: bool) -> None:
    if servers_only:
        await stack.start(progress)
    else:
        await stack.start(progress, on_postgres=(services.migration, services.admin_key))
        await services.start_instances(progress)


def _say_waiting(console: Console) -> None:
    console.print("Another command works on this; waiting for it to end")


async def down(state: Path, console: Console, purge: bool) -> int:
    """Stop everything that was started on this state directory, however that ended."""
    if not StateDirectory(state).exists():
        console.print(f"Nothing to stop: {state} does not exist", highlight=False)
        return SUCCESS
    stack = open_stack(state)
    with stack.state.one_command(waits=lambda: _say_waiting(console)):
        await stop_all_but({server.name for server in stack.own}, stack.state)
        await stack.stop()
        stack.state.environment.unlink(missing_ok=True)
    if purge:
        stack.purge()
    console.print(
        "Stopped; data and logs are deleted" if purge else f"Stopped; the data stays in {state}", highlight=False
    )
    return SUCCESS


async def status(state: Path, console: Console) -> int:
    """Print what runs; `NOT_RUNNING` unless everything that was started does."""
    if not StateDirectory(state).exists():
        console.print("Nothing was started here yet; make up does that")
        return NOT_RUNNING
    stack = open_stack(state)
    table, conditions = await overview((*stack.servers, *Services(stack, state).servers), stack.state)
    console.print(table)
    if conditions == {"stopped"}:
        console.print("Nothing runs; make up starts it")
        return NOT_RUNNING
    if conditions & {"ended", "frozen"}:
        console.print("Not everything runs; make logs shows why, make up starts what is missing")
        return NOT_RUNNING
    return SUCCESS


def logs(state: Path, console: Console, name: str | None, and_follow: bool) -> int:
    """Print the end of one log or of all, and what is added."""

    def write(line: str) -> None:
        console.out(line, highlight=False)

    files = log_files(StateDirectory(state), name)
    print_tails(files, write)
    if and_follow:
        follow(files, write)
    return SUCCESS
