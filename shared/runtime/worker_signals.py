"""How a server's parent process drains and stops its workers.

Only the parent stops workers. A supervisor or a terminal that signals the whole process group (systemd's default, Ctrl-C)
reaches the workers too: they would close the port before the drain, and the parent would start new ones in their place.
So workers are started with the usual signals blocked, and the parent uses two signals of its own.
"""

import asyncio
import os
import signal
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager

from shared.runtime.background import in_background

DRAIN_SIGNAL = signal.SIGUSR1
"""Report not ready and keep answering."""
STOP_SIGNAL = signal.SIGUSR2
"""Finish the requests in flight and exit."""

_BLOCKED = frozenset({signal.SIGTERM, signal.SIGINT, signal.SIGHUP})
_PARENT_CHECK_SECONDS = 1.0


@contextmanager
def blocked_for_children() -> Iterator[None]:
    """Processes started in this block do not receive SIGTERM, SIGINT and SIGHUP; this one receives them afterwards."""
    # DRAIN_SIGNAL is ignored until a worker installs its handler, so that it does not end a worker during its start.
    signal.signal(DRAIN_SIGNAL, signal.SIG_IGN)
    before = signal.pthread_sigmask(signal.SIG_BLOCK, _BLOCKED)
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


@asynccontextmanager
async def obeying_parent(drain: Callable[[], object]) -> AsyncIterator[None]:
    """Call `drain` on DRAIN_SIGNAL; drain and stop the server on STOP_SIGNAL and when the parent process is gone.

    A process that is not a worker (an application inside a test) has no parent to follow: only the handlers are set.
    """
    loop = asyncio.get_running_loop()
    parent = os.getppid()

    def stop() -> None:
        drain()
        # The HTTP server of this process stops on SIGTERM, which was blocked so far.
        signal.pthread_sigmask(signal.SIG_UNBLOCK, _BLOCKED)
        os.kill(os.getpid(), signal.SIGTERM)

    async def follow_parent() -> None:
        if _is_worker() and os.getppid() != parent:
            stop()

    loop.add_signal_handler(DRAIN_SIGNAL, drain)
    loop.add_signal_handler(STOP_SIGNAL, stop)
    async with in_background(follow_parent, "parent process", every_seconds=_PARENT_CHECK_SECONDS):
        yield


def _is_worker() -> bool:
    return signal.SIGTERM in signal.pthread_sigmask(signal.SIG_BLOCK, ())
