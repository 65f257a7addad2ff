"""The metric catalogue as Prometheus metrics, and their exposition for `/metrics`."""

import itertools
from collections.abc import Callable
from typing import TypeVar

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, disable_created_metrics, generate_latest

from shared.runtime.metric_catalogue import CATALOGUE, OPEN, Metric
from shared.runtime.metric_files import merged_registry
from shared.runtime.service import Service
from shared.runtime.version import PublicVersion

# The `_created` series double the output and nothing here reads them.
disable_created_metrics()  # type: ignore[no-untyped-call]

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"

_Collector = Counter | Gauge | Histogram
_C = TypeVar("_C", Counter, Gauge, Histogram)


class Metrics:
    """One service's metrics in a registry of their own, so that a test process can hold several services."""

    def __init__(self, service: Service) -> None:
        self._registry = CollectorRegistry()
        self._before_scrape: list[Callable[[], object]] = []
        self._by_name = {
            metric.name: _build(metric, self._registry) for metric in CATALOGUE if service in metric.services
        }

    def counter(self, name: str) -> Counter:
        """The counter of that name. Raises KeyError when the service has none in the catalogue."""
        return self._typed(name, Counter)

    def gauge(self, name: str) -> Gauge:
        """The gauge of that name. Raises KeyError when the service has none in the catalogue."""
        return self._typed(name, Gauge)

    def histogram(self, name: str) -> Histogram:
        """The histogram of that name. Raises KeyError when the service has none in the catalogue."""
        return self._typed(name, Histogram)

    def _typed(self, name: str, kind: type[_C]) -> _C:
        metric = self._by_name[name]
        if not isinstance(metric, kind):
            raise KeyError(f"{name} is a {type(metric).__name__}")
        return metric

    def show_build(self, public_version: PublicVersion, revision: str) -> None:
        """Set `tm_build_info`, with what strangers may read of the release. `revision`: its commit."""
        self.gauge("tm_build_info").labels(*public_version.build_labels(revision)).set(1)

    def before_scrape(self, refresh: Callable[[], object]) -> None:
        """Register a function to call before every exposition, for gauges that are computed and for buffered counts."""
        self._before_scrape.append(refresh)

    def refresh(self) -> None:
        """Update the computed gauges and flush the buffered counts."""
        for each in self._before_scrape:
            each()

    def exposition(self) -> bytes:
        """The metrics in the Prometheus text format, merged over the worker processes where there are several."""
        self.refresh()
        return generate_latest(merged_registry() or self._registry)


def _build(metric: Metric, registry: CollectorRegistry) -> _Collector:
    names = tuple(metric.labels)
    built: _Collector
    if metric.kind == "counter":
        built = Counter(metric.name, metric.help, names, registry=registry)
    elif metric.kind == "gauge":
        built = Gauge(metric.name, metric.help, names, registry=registry, multiprocess_mode=metric.merge)
    else:
        built = Histogram(metric.name, metric.help, names, registry=registry, buckets=metric.buckets)
    if names and OPEN not in metric.labels.values():
        # Closed label sets are exported as 0 from the start, so that a ratio never has "no data".
        for values in itertools.product(*metric.labels.values()):
            built.labels(*values)
    return built
