"""Processes that keep running after the command that started them: spawns, finds and signals them and their children."""

import asyncio
import contextlib
import signal
import subprocess
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

import psutil

from deploy.local.errors import LocalServerError
from deploy.local.files import tail
from deploy.local.postgres_account import Account
from deploy.local.settings import inherited_environment
from deploy.local.state import Identity

# Every process has `<state directory>:<name>` in its environment. This finds processes whose pid is not in the state file,
# because the command that started them was killed.
MARK = "TM_LOCAL_MARK"
_POLL_SECONDS = 0.01
_SAME_START_SECONDS = 1.0
_FREEZE_SECONDS = 1.0
_KILL_SECONDS = 10.0

# Children of this process stay zombies until it reads their exit codes.
_children: dict[int, subprocess.Popen[bytes]] = {}


@dataclass(frozen=True)
class Launch:
    """A command to execute."""

    argv: Sequence[str | Path]
    directory: Path
    environment: Mapping[str, str] = field(default_factory=dict)
    account: Account | None = None
    title: str = "the program"


def spawn(launch: Launch, log: Path, mark: str) -> Identity:
    """Start the command in a new session. Its output is appended to `log`."""
    log.parent.mkdir(parents=True, exist_ok=True)
    with log.open("ab") as output:
        child = subprocess.Popen(  # noqa: S603 - starts programs of our own
            [str(part) for part in launch.argv],
            cwd=launch.directory,
            env={**inherited_environment(), **launch.environment, MARK: mark},
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
            user=launch.account.uid if launch.account else None,
            group=launch.account.gid if launch.account else None,
            extra_groups=[] if launch.account else None,
        )
    _children[child.pid] = child
    return Identity(child.pid, psutil.Process(child.pid).create_time())


async def run_to_end(launch: Launch, log: Path, mark: str, seconds: float) -> None:
    """Run a program until it ends. Its output is appended to `log`. A timeout or a cancellation kills it.

    Raises:
        LocalServerError: it failed or took too long. The message has the end of its output.
    """
    started = spawn(launch, log, mark)
    child, process = _children[started.pid], psutil.Process(started.pid)
    ended = False
    try:
        ended = await _ended([process], seconds)
    finally:
        if not ended:
            _for_each(family(process), psutil.Process.kill)
    if child.wait() != 0:
        how = f"failed with exit code {child.returncode}" if ended else f"took longer than {seconds:.0f} s"
        raise LocalServerError(f"{launch.title} {how}. The end of {log}:\n{tail(log)}")


def find(identity: Identity | None) -> psutil.Process | None:
    """The process; None if it ended. A later process with the same pid does not count."""
    if identity is None:
        return None
    with contextlib.suppress(psutil.NoSuchProcess):
        process = psutil.Process(identity.pid)
        is_same = abs(process.create_time() - identity.created) < _SAME_START_SECONDS
        if is_same and _exists(process):
            return process
    return None


def is_frozen(process: psutil.Process) -> bool:
    """Whether a signal stopped the process."""
    with contextlib.suppress(psutil.NoSuchProcess):
        return process.status() == psutil.STATUS_STOPPED
    return False


async def end_marked(mark: str, seconds: float) -> None:
    """End every process with `mark` in its environment."""
    for process in [found for found in psutil.process_iter() if _mark_of(found) == mark]:
        if _exists(process):
            await stop(process, signal.SIGTERM, seconds)


async def end_in(directory: Path, seconds: float) -> None:
    """End every process whose working directory is `directory`. PostgreSQL's children overwrite their environment."""
    for process in [found for found in psutil.process_iter() if _directory_of(found) == str(directory)]:
        if _exists(process):
            await stop(process, signal.SIGTERM, seconds)


def marks_with_prefix(prefix: str) -> set[str]:
    """The marks of all processes that start with `prefix`."""
    return {mark for mark in map(_mark_of, psutil.process_iter()) if mark.startswith(prefix)}


async def freeze(process: psutil.Process) -> None:
    """Suspend the process and its children, and wait until none runs, so that none starts another."""
    stopped: set[int] = set()
    while new := [member for member in family(process) if member.pid not in stopped]:
        stopped.update(member.pid for member in new)
        _for_each(new, psutil.Process.suspend)
        await _becomes_true(_FREEZE_SECONDS, partial(_are_frozen, new))


def thaw(process: psutil.Process) -> None:
    """Resume the process and its children."""
    _for_each(family(process), psutil.Process.resume)


async def kill(process: psutil.Process) -> None:
    """Kill the process and its children, and wait until all have ended."""
    await freeze(process)
    members = family(process)
    _for_each(members, psutil.Process.kill)
    await _ended(members, _KILL_SECONDS)


async def stop(process: psutil.Process, stop_signal: signal.Signals, seconds: float) -> bool:
    """Send `stop_signal` and wait. Returns False if the process had to be killed after `seconds`."""
    members = family(process)
    thaw(process)
    with contextlib.suppress(psutil.NoSuchProcess):
        process.send_signal(stop_signal)
    if await _ended([process], seconds):
        # Children normally end with their parent. Those that do not must be killed.
        if not await _ended(members, 1.0):
            _for_each(members, psutil.Process.kill)
        return True
    await kill(process)
    return False


def family(process: psutil.Process) -> list[psutil.Process]:
    """The process and its descendants. A process group would miss PostgreSQL's children, which have groups of their own."""
    with contextlib.suppress(psutil.NoSuchProcess):
        return [process, *process.children(recursive=True)]
    return []


async def _ended(processes: Sequence[psutil.Process], seconds: float) -> bool:
    return await _becomes_true(seconds, lambda: not any(_exists(process) for process in processes))


async def _becomes_true(seconds: float, condition: Callable[[], bool]) -> bool:
    """Whether the condition became true within `seconds`."""
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            return False
        await asyncio.sleep(_POLL_SECONDS)
    return True


def _are_frozen(processes: Sequence[psutil.Process]) -> bool:
    return all(is_frozen(process) or not _exists(process) for process in processes)


def _exists(process: psutil.Process) -> bool:
    _reap(process.pid)
    with contextlib.suppress(psutil.NoSuchProcess):
        # A killed process is a zombie while its remaining threads still hold its port.
        return process.is_running() and (process.status() != psutil.STATUS_ZOMBIE or process.num_threads() > 1)
    return False


def _reap(pid: int) -> None:
    child = _children.get(pid)
    if child is not None and child.poll() is not None:
        del _children[pid]


def _mark_of(process: psutil.Process) -> str:
    with contextlib.suppress(psutil.Error, OSError):
        return process.environ().get(MARK, "")
    return ""


def _directory_of(process: psutil.Process) -> str:
    with contextlib.suppress(psutil.Error, OSError):
        return process.cwd()
    return ""


def _for_each(processes: Iterable[psutil.Process], action: Callable[[psutil.Process], None]) -> None:
    for process in processes:
        with contextlib.suppress(psutil.NoSuchProcess):
            action(process)
