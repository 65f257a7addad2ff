"""Buffers counts in plain numbers, for code in which a call to a metric would cost more than the counted request.

Buffers are flushed into the metrics before each exposition and once a second (`Metrics.refresh`), so that a scrape reads
the same as without them.
"""

from bisect import bisect_left
from collections.abc import Callable

from prometheus_client import Histogram

from shared.runtime.metrics import Metrics


class BufferedCounter:
    """A buffer for one or more counters that count the same events: `count` is incremented directly."""

    __slots__ = ("_add", "count")

    def __init__(self, metrics: Metrics, *add: Callable[[int], object]) -> None:
        """`add`: the `inc` methods of the counters."""
        self.count = 0
        self._add = add
        metrics.before_scrape(self.flush)

    def flush(self) -> None:
        """Add the counts since the last flush to the counters."""
        count, self.count = self.count, 0
        for add in self._add:
            add(count)


class BufferedHistogram:
    """A buffer for a histogram whose buckets have these upper edges, without infinity."""

    __slots__ = ("_counts", "_edges", "_first", "_first_count", "_histogram", "_sum")

    def __init__(self, metrics: Metrics, histogram: Histogram, edges: tuple[float, ...]) -> None:
        self._histogram = histogram
        self._edges = edges
        self._first = edges[0]
        self._first_count = 0
        self._counts = [0] * (len(edges) + 1)
        self._sum = 0.0
        metrics.before_scrape(self.flush)

    def observe(self, seconds: float) -> None:
        if seconds <= self._first:  # nearly all observations
            self._first_count += 1
        else:
            self._counts[bisect_left(self._edges, seconds)] += 1
        self._sum += seconds

    def flush(self) -> None:
        """Add the observations since the last flush to the histogram."""
        counts, total = self._counts, self._sum
        counts[0] += self._first_count
        self._counts, self._sum, self._first_count = [0] * len(counts), 0.0, 0
        # prometheus_client has no method to observe many values at once; its `observe` increments these two.
        self._histogram._sum.inc(total)  # noqa: SLF001
        for bucket, count in zip(self._histogram._buckets, counts, strict=True):  # noqa: SLF001
            bucket.inc(count)
