"""A server of several worker processes, each of which sets every gauge to its own value. Prints what they export together.

Run as `python -m tests.support.worker_metrics FOLDER SERVICE VALUE…`, in a process of its own: prometheus_client decides for
a whole process how values are kept.
"""

import multiprocessing
import sys
from collections.abc import Sequence
from pathlib import Path

from shared.runtime.metric_catalogue import CATALOGUE
from shared.runtime.metric_files import MetricFiles, metric_files
from shared.runtime.metrics import Metrics
from shared.runtime.service import Service


class _Running:
    """A worker whose slot stays occupied."""

    def is_alive(self) -> bool:
        return True


def _set_gauges(service: Service, value: float) -> None:
    metrics = Metrics(service)
    for metric in CATALOGUE:
        if metric.kind == "gauge" and service in metric.services:
            gauge = metrics.gauge(metric.name)
            (gauge.labels(*(["x"] * len(metric.labels))) if metric.labels else gauge).set(value)


def _run_worker(files: MetricFiles, service: Service, value: float) -> None:
    slot = files.assign()
    worker = multiprocessing.get_context("fork").Process(target=_set_gauges, args=(service, value))
    worker.start()
    worker.join()
    assert worker.exitcode == 0
    files.occupy(slot, _Running())


def main(folder: str, service: str, values: Sequence[str]) -> None:
    """Print the exposition of a server with one worker for each value."""
    with metric_files(Path(folder), service) as files:
        for value in values:
            _run_worker(files, Service(service), float(value))
        sys.stdout.buffer.write(Metrics(Service(service)).exposition())


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], sys.argv[3:])
