"""Buffered metrics have the same values as metrics that are updated per event."""

from hypothesis import given
from hypothesis import strategies as st

from shared.runtime.metric_catalogue import LATENCY
from shared.runtime.metrics import Metrics
from shared.runtime.metrics_buffer import BufferedCounter, BufferedHistogram
from shared.runtime.service import Service


def _durations(metrics: Metrics) -> list[str]:
    lines = metrics.exposition().decode().splitlines()
    return [line for line in lines if line.startswith("tm_http_request_duration_seconds")]


@given(st.lists(st.sampled_from([0.0, *LATENCY, 0.0004, 0.0006, 4.0, 7.0]), max_size=30), st.integers(0, 30))
def test_buffered_durations_equal_those_observed_directly(seconds: list[float], scrape_after: int) -> None:
    buffered, direct = Metrics(Service.DATA_PLANE), Metrics(Service.DATA_PLANE)
    buffer = BufferedHistogram(buffered, buffered.histogram("tm_http_request_duration_seconds").labels("/x"), LATENCY)
    child = direct.histogram("tm_http_request_duration_seconds").labels("/x")
    for count, each in enumerate(seconds):
        buffer.observe(each)
        child.observe(each)
        if count == scrape_after:
            buffered.refresh()
    buckets = [[line for line in _durations(each) if "_sum" not in line] for each in (buffered, direct)]
    assert buckets[0] == buckets[1]
    assert round(sum_of_durations(buffered), 6) == round(sum(seconds), 6)


def sum_of_durations(metrics: Metrics) -> float:
    [line] = [line for line in _durations(metrics) if "_sum" in line]
    return float(line.rsplit(" ", 1)[1])


def test_buffered_count_is_added_to_every_counter_once() -> None:
    metrics = Metrics(Service.DATA_PLANE)
    loads = metrics.counter("tm_loads_total")
    buffer = BufferedCounter(metrics, loads.labels("loaded").inc, loads.labels("failed").inc)
    buffer.count += 3
    for _ in range(2):
        text = metrics.exposition().decode()
        assert 'tm_loads_total{outcome="loaded"} 3.0' in text
        assert 'tm_loads_total{outcome="failed"} 3.0' in text
