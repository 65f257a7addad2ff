"""Runs a service's ASGI application on granian, with a drain phase before the port closes."""

import os
import signal
import tempfile
import threading
from typing import Any

from granian import Granian
from granian.constants import HTTPModes, Interfaces, Loops, RuntimeModes

from shared.runtime.health import DRAIN_SIGNAL
from shared.runtime.logs import logging_config
from shared.runtime.settings import ServiceSettings


class DrainingServer(Granian):  # type: ignore[misc,valid-type]  # granian exports a platform-dependent alias
    """Granian that announces shutdown to its workers, waits, and then stops accepting connections."""

    drain_seconds: float = 0.0

    def signal_handler_interrupt(self, *args: Any, **kwargs: Any) -> None:
        """First signal: drain, then stop. Second signal: stop at once."""
        stop = super().signal_handler_interrupt
        if getattr(self, "_draining", False):
            stop()
            return
        self._draining = True
        for worker in self.wrks:
            os.kill(worker.inner.pid, DRAIN_SIGNAL)
        if not self.drain_seconds:
            # The signal is sent even without a drain phase: open streams would keep the workers alive until they are killed.
            stop()
            return
        waiting = threading.Timer(self.drain_seconds, stop)
        waiting.daemon = True
        waiting.start()


def serve(target: str, service: str, settings: ServiceSettings) -> None:
    """Serve the application factory at `module:function` until SIGTERM or SIGINT; returns once drained."""
    if settings.workers > 1:
        # prometheus_client reads this when it is first imported, which the workers do.
        os.environ["PROMETHEUS_MULTIPROC_DIR"] = tempfile.mkdtemp(prefix=f"{service}-metrics-")  # noqa: TID251
    # Ignored until a worker installs its handler, so that a signal during start does not kill the worker.
    signal.signal(DRAIN_SIGNAL, signal.SIG_IGN)
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
        websockets=False,
        backlog=4096,
        backpressure=4096,
        respawn_failed_workers=True,
        workers_kill_timeout=settings.shutdown_seconds,
        log_dictconfig=logging_config(
            service=service, instance=settings.instance_id, level=settings.log_level, log_format=settings.log_format
        ),
    )
    server.drain_seconds = settings.drain_seconds
    server.serve()
