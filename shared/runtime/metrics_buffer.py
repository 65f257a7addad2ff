"""Counting where a call to a metric per request would cost more than the request.

A tally is a plain number. It goes into the metrics before each exposition and once a second (`Metrics.refresh`), so
what is scraped is the same as if each had been counted by itself.
"""

from bisect import bisect_left
from collections.abc import Callable

from prometheus_client import Histogram

from shared.runtime.metrics import Metrics


class BufferedCounter:
    """Adds up for whatever counts: `counter.inc` of one or more counters that count the same."""

    __slots__ = ("_add", "count")

    def __init__(self, metrics: Metrics, *add: Callable[[int], object]) -> None:
        self.count = 0
        self._add = add
        metrics.before_scrape(self.flush)

    def flush(self) -> None:
        """Hand on what was counted since the last time."""
        count, self.count = self.count, 0
        for add in self._add:
            add(count)


class DurationTally:
    """Adds up observations for a histogram with these upper edges (without infinity)."""

    __slots__ = ("_counts", "_edges", "_first", "_histogram", "_short", "_sum")

    def __init__(self, metrics: Metrics, histogram: Histogram, edges: tuple[float, ...]) -> None:
        self._histogram = histogram
        self._edges = edges
        self._first = edges[0]
        self._short = 0
        self._counts = [0] * (len(edges) + 1)
        self._sum = 0.0
        metrics.before_scrape(self.flush)

    def observe(self, seconds: float) -> None:
        if seconds <= self._first:  # nearly all of them
            self._short += 1
        else:
            self._counts[bisect_left(self._edges, seconds)] += 1
        self._sum += seconds

    def flush(self) -> None:
        """Hand on what was observed since the last time."""
        counts, total = self._counts, self._sum
        counts[0] += self._short
        self._counts, self._sum, self._short = [0] * len(counts), 0.0, 0
        # prometheus_client has no way to observe many at once; these two are what its `observe` adds to.
        self._histogram._sum.inc(total)  # noqa: SLF001
        for bucket, count in zip(self._histogram._buckets, counts, strict=True):  # noqa: SLF001
            bucket.inc(count)
