"""The files through which the worker processes of one server share their metrics (prometheus_client's multiprocess mode)."""

import os
import shutil
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Protocol

from prometheus_client import CollectorRegistry, values
from prometheus_client.multiprocess import MultiProcessCollector

_VARIABLE = "PROMETHEUS_MULTIPROC_DIR"


class Process(Protocol):
    """A worker process."""

    def is_alive(self) -> bool: ...


class MetricFiles:
    """Gives each worker process a slot: the name of its files in the folder.

    A slot whose process has ended is used again. Its counters then go on where they were, so that a killed worker loses
    no count, and the number of files does not grow with restarts. Its gauges are removed: they describe a process.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._slots: dict[int, Process] = {}
        self._assigned = 0

    def assign(self) -> int:
        """Free the slots of ended processes and return a free one; processes started from now on write to it."""
        self.release_ended()
        self._assigned = next(slot for slot in range(len(self._slots) + 1) if slot not in self._slots)
        return self._assigned

    def occupy(self, slot: int, process: Process) -> None:
        """The slot belongs to this process until that has ended."""
        self._slots[slot] = process

    def release_ended(self) -> None:
        """Remove the gauges of processes that have ended."""
        for slot in [slot for slot, process in self._slots.items() if not process.is_alive()]:
            del self._slots[slot]
            for gauge in self._folder.glob(f"gauge_*_{slot}.db"):
                gauge.unlink(missing_ok=True)

    def current(self) -> int:
        """The slot of this process."""
        return self._assigned


@contextmanager
def metric_files(folder: Path | None, service: str) -> Iterator[MetricFiles]:
    """A folder for the metric files of a server's workers: `folder`, or a temporary one that is removed at the end.

    A wrong folder ends the process with 2, after saying so.
    """
    used = None
    try:
        used = _empty(folder) if folder else Path(tempfile.mkdtemp(prefix=f"{service}-metrics-"))
    except OSError as error:
        sys.stderr.write(
            f"No folder for the metric files of several workers: {error}.\n"
            "Set TM_METRICS_DIR to a folder that the service may write to, or TM_WORKERS to 1.\n"
        )
        raise SystemExit(2) from None
    files = MetricFiles(used)
    # prometheus_client chooses how it keeps values when it is imported, which is long ago; and it reads the variable
    # whenever it opens a file.
    os.environ[_VARIABLE] = str(used)  # noqa: TID251 - prometheus_client's own switch
    values.ValueClass = values.MultiProcessValue(files.current)  # type: ignore[no-untyped-call]
    try:
        yield files
    finally:
        if folder is None:
            shutil.rmtree(used, ignore_errors=True)


def _empty(folder: Path) -> Path:
    """The folder without the files of an earlier run."""
    folder.mkdir(parents=True, exist_ok=True)
    for left_over in folder.glob("*.db"):
        left_over.unlink()
    tempfile.TemporaryFile(dir=folder).close()
    return folder


def merged_registry() -> CollectorRegistry | None:
    """The metrics of all workers of this server; None when it has one process."""
    folder = os.environ.get(_VARIABLE)  # noqa: TID251 - as above
    if folder is None:
        return None
    registry = CollectorRegistry()
    MultiProcessCollector(registry, folder)  # type: ignore[no-untyped-call]
    return registry
