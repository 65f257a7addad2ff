"""Runs a service's ASGI application on granian: workers drain before the port closes, and failed ones are replaced."""

import os
import resource
import signal
import socket
import sys
import threading
import time
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from functools import partial
from typing import Any

from granian import Granian
from granian.constants import HTTPModes, Interfaces, Loops, RuntimeModes
from granian.http import HTTP1Settings
from granian.net import SocketSpec  # type: ignore[attr-defined]  # granian names it so, without exporting it

from shared.runtime.logs import logging_config
from shared.runtime.metric_files import MetricFiles, metric_files
from shared.runtime.settings import ServiceSettings
from shared.runtime.worker_signals import DRAIN_SIGNAL, STOP_SIGNAL, blocked_for_children

_MOST_FILES = 1_048_576
_RESERVED_FILES = 512
"""Open files of a worker that are no client's connection: pools, logs, snapshots, metric files."""
_SHORT_LIFE_SECONDS = 10.0
_MAX_SHORT_LIVES = 5
"""A worker that ends so often in a row, each time so soon after its start, cannot work: the server gives up."""
_FIRST_PAUSE_SECONDS, _LONGEST_PAUSE_SECONDS = 0.25, 2.0


class DrainingServer(Granian):  # type: ignore[misc,valid-type]  # granian exports a platform-dependent alias
    """Granian that lets its workers drain before it stops taking connections, and that alone stops them."""

    drain_seconds: float = 0.0
    files: MetricFiles | None = None
    _draining = False

    def signal_handler_interrupt(self, *args: Any, **kwargs: Any) -> None:
        """First signal: drain, then stop. Second signal: stop at once."""
        stop = super().signal_handler_interrupt
        if self._draining:
            stop()
            return
        self._draining = True
        for worker in self.wrks:
            _send(worker, DRAIN_SIGNAL)
        if not self.drain_seconds:
            # Workers drain all the same: streams that stay open would keep them until they are killed.
            stop()
            return
        waiting = threading.Timer(self.drain_seconds, stop)
        waiting.daemon = True
        waiting.start()

    def _init_shared_socket(self) -> None:
        """One listening socket for all workers, inherited: connections that wait for a worker survive its end.

        Granian's own way on Linux gives each worker a socket, and a worker that ends resets what waits on it.
        """
        _refuse_used_port(self.bind_addr, self.bind_port)
        self._shd = SocketSpec(self.bind_addr, self.bind_port, self.backlog).build()
        self._sfd = self._shd.get_fd()
        self._sso = socket.socket(fileno=self._sfd)
        self._sso.set_inheritable(True)

    def _spawn_worker(self, idx: int, target: Any, callback_loader: Any, *more: Any) -> Any:
        worker = super()._spawn_worker(idx, target, callback_loader, *more)
        # Granian would send SIGTERM, which a worker accepts from itself only.
        worker.terminate = partial(_stop, worker)
        worker.start = partial(_start, worker.start)
        if self.files is not None:
            self.files.occupy(self.files.assign(), worker)
        return worker

    def _spawn_workers(self, *args: Any) -> None:
        self._failures = [_Failures() for _ in range(self.workers)]
        super()._spawn_workers(*args)

    def _respawn_workers(self, workers: Sequence[int], *args: Any, **kwargs: Any) -> None:
        """Start each anew: after a failure, with a growing pause, and on SIGHUP one after the other."""
        for idx in workers:
            if not self._draining and not self.wrks[idx].is_alive():
                time.sleep(self._failures[idx].pause_after(self.wrks[idx].birth))
            if self._draining:
                return  # a signal during the pause, or during the end of the worker before
            super()._respawn_workers([idx], *args, **kwargs)
            if self._failures[idx].count < _MAX_SHORT_LIVES:
                # Granian ends the server when one worker fails twice within seconds.
                self.respawned_wrks.pop(idx, None)
        if self.files is not None:
            self.files.release_ended()


class _Failures:
    """How often in a row a worker has ended soon after its start."""

    def __init__(self) -> None:
        self.count = 0

    def pause_after(self, birth: float) -> float:
        """Seconds to wait before the worker born at `birth` (monotonic seconds), which has just ended, is replaced."""
        self.count = self.count + 1 if time.monotonic() - birth < _SHORT_LIFE_SECONDS else 0
        return min(_FIRST_PAUSE_SECONDS * 2**self.count, _LONGEST_PAUSE_SECONDS) if self.count > 1 else 0.0


def _refuse_used_port(address: str, port: int) -> None:
    """End the process with 2 when something listens there already: granian would share the port with it."""
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    try:
        with socket.socket(family) as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind((address, port))
    except OSError as error:
        sys.stderr.write(
            f"Cannot listen on TM_HTTP_HOST={address}, TM_HTTP_PORT={port}: {error.strerror}. Set another port or address.\n"
        )
        raise SystemExit(2) from None


def _start(start: Callable[[], None]) -> None:
    with blocked_for_children():
        start()


def _stop(worker: Any) -> None:
    worker.interrupt_by_parent = True
    _send(worker, STOP_SIGNAL)


def _send(worker: Any, number: signal.Signals) -> None:
    if worker.is_alive():
        os.kill(worker.inner.pid, number)


def open_file_limit() -> int:
    """The number of files that a process may have open: the soft limit, raised to the hard limit."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    limit = max(soft, min(hard, _MOST_FILES))
    resource.setrlimit(resource.RLIMIT_NOFILE, (limit, hard))
    return limit


def serve(target: str, service: str, settings: ServiceSettings) -> None:
    """Serve the application factory at `module:function` until SIGTERM or SIGINT; returns when drained."""
    with ExitStack() as opened:
        files = opened.enter_context(metric_files(settings.metrics_dir, service)) if settings.workers > 1 else None
        server = DrainingServer(
            target,
            factory=True,
            address=settings.http_host,
            port=settings.http_port,
            interface=Interfaces.ASGI,
            workers=settings.workers,
            loop=Loops.uvloop,
            runtime_mode=RuntimeModes.st,
            http=HTTPModes.http1,
            # One timer for both: the time to send a request's head, and the time between two requests.
            http1_settings=HTTP1Settings(header_read_timeout=round(1000 * settings.http_idle_seconds)),
            websockets=False,
            backlog=4096,
            # Connections, not requests: idle ones must not keep others out. max_concurrent_requests limits requests.
            backpressure=settings.max_connections or max(1024, open_file_limit() - _RESERVED_FILES),
            respawn_failed_workers=True,
            workers_kill_timeout=settings.shutdown_seconds,
            log_dictconfig=logging_config(
                service=service, instance=settings.instance_id, level=settings.log_level, log_format=settings.log_format
            ),
        )
        server.drain_seconds = settings.drain_seconds
        server.files = files
        server.serve()
