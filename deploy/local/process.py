"""Processes that outlive the command which started them: spawned, found again, signalled with all their children."""

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

from deploy.local.account import Account
from deploy.local.errors import LocalServerError
from deploy.local.files import tail
from deploy.local.settings import inherited_environment
from deploy.local.state import Identity

# Every process carries `<state directory>:<name>` in its environment, so that one whose number was never written
# down, because the command that started it was killed, is still found.
MARK = "TM_LOCAL_MARK"
_POLL_SECONDS = 0.01
_SAME_START_SECONDS = 1.0
_FREEZE_SECONDS = 1.0
_KILL_SECONDS = 10.0

# Children of this very process stay zombies until it asks for their exit code, whichever object started them.
_children: dict[int, subprocess.Popen[bytes]] = {}


@dataclass(frozen=True)
class Launch:
    """What to execute."""

    argv: Sequence[str | Path]
    directory: Path
    environment: Mapping[str, str] = field(default_factory=dict)
    account: Account | None = None
    title: str = "the program"


def spawn(launch: Launch, log: Path, mark: str) -> Identity:
    """Start it in a session of its own, output appended to `log`."""
    log.parent.mkdir(parents=True, exist_ok=True)
    with log.open("ab") as output:
        child = subprocess.Popen(  # noqa: S603 - starting programs is what this module is for
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
    """Run a program that ends by itself, output appended to `log`; killed when that is given up.

    Raises:
        LocalServerError: it failed or took too long; the message holds the end of its output.
    """
    started = spawn(launch, log, mark)
    child, process = _children[started.pid], psutil.Process(started.pid)
    ended = False
    try:
        ended = await _gone([process], seconds)
    finally:
        if not ended:
            _each(family(process), psutil.Process.kill)
    if child.wait() != 0:
        how = f"failed with exit code {child.returncode}" if ended else f"took longer than {seconds:.0f} s"
        raise LocalServerError(f"{launch.title} {how}. The end of {log}:\n{tail(log)}")


def find(identity: Identity | None) -> psutil.Process | None:
    """The process, unless it ended; a later process with the same number is not it."""
    if identity is None:
        return None
    with contextlib.suppress(psutil.NoSuchProcess):
        process = psutil.Process(identity.pid)
        is_same = abs(process.create_time() - identity.created) < _SAME_START_SECONDS
        if is_same and _exists(process):
            return process
    return None


def is_frozen(process: psutil.Process) -> bool:
    """Whether it is stopped by a signal."""
    with contextlib.suppress(psutil.NoSuchProcess):
        return process.status() == psutil.STATUS_STOPPED
    return False


async def end_marked(mark: str, seconds: float) -> None:
    """End what carries `mark` and is not written down anywhere."""
    for process in [found for found in psutil.process_iter() if _mark_of(found) == mark]:
        if _exists(process):
            await stop(process, signal.SIGTERM, seconds)


def marks_below(prefix: str) -> set[str]:
    """Every mark that begins with `prefix` and is carried by a process."""
    return {mark for mark in map(_mark_of, psutil.process_iter()) if mark.startswith(prefix)}


async def freeze(process: psutil.Process) -> None:
    """Stop it and its children, and wait until they stand still: none can have started another in between."""
    stopped: set[int] = set()
    while new := [member for member in family(process) if member.pid not in stopped]:
        stopped.update(member.pid for member in new)
        _each(new, psutil.Process.suspend)
        await _within(_FREEZE_SECONDS, partial(_stand_still, new))


def thaw(process: psutil.Process) -> None:
    """Let it and its children continue."""
    _each(family(process), psutil.Process.resume)


async def kill(process: psutil.Process) -> None:
    """SIGKILL it and its children, and wait until all are gone."""
    await freeze(process)
    members = family(process)
    _each(members, psutil.Process.kill)
    await _gone(members, _KILL_SECONDS)


async def stop(process: psutil.Process, stop_signal: signal.Signals, seconds: float) -> bool:
    """Ask it to end; False when it had to be killed."""
    members = family(process)
    thaw(process)
    with contextlib.suppress(psutil.NoSuchProcess):
        process.send_signal(stop_signal)
    if await _gone([process], seconds):
        # Children normally end with their parent; those that outlive it have nobody to tell them.
        if not await _gone(members, 1.0):
            _each(members, psutil.Process.kill)
        return True
    await kill(process)
    return False


def family(process: psutil.Process) -> list[psutil.Process]:
    """It and its descendants; process groups would miss PostgreSQL's children, each of which leads a group."""
    with contextlib.suppress(psutil.NoSuchProcess):
        return [process, *process.children(recursive=True)]
    return []


async def _gone(processes: Sequence[psutil.Process], seconds: float) -> bool:
    return await _within(seconds, lambda: not any(_exists(process) for process in processes))


async def _within(seconds: float, condition: Callable[[], bool]) -> bool:
    """Whether it came true in time."""
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            return False
        await asyncio.sleep(_POLL_SECONDS)
    return True


def _stand_still(processes: Sequence[psutil.Process]) -> bool:
    return all(is_frozen(process) or not _exists(process) for process in processes)


def _exists(process: psutil.Process) -> bool:
    _reap(process.pid)
    with contextlib.suppress(psutil.NoSuchProcess):
        # A killed program of many threads is a zombie while the rest of them still hold its port.
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


def _each(processes: Iterable[psutil.Process], action: Callable[[psutil.Process], None]) -> None:
    for process in processes:
        with contextlib.suppress(psutil.NoSuchProcess):
            action(process)
