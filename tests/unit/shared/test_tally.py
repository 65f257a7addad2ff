"""A tally leaves the metrics as if each event had been counted by itself."""

from hypothesis import given
from hypothesis import strategies as st

from shared.runtime.metric_catalogue import LATENCY, Service
from shared.runtime.metrics import Metrics
from shared.runtime.metrics_buffer import BufferedCounter, DurationTally


def _durations(metrics: Metrics) -> list[str]:
    lines = metrics.exposition().decode().splitlines()
    return [line for line in lines if line.startswith("tm_http_request_duration_seconds")]


@given(st.lists(st.sampled_from([0.0, *LATENCY, 0.0004, 0.0006, 4.0, 7.0]), max_size=30), st.integers(0, 30))
def test_durations_are_those_observed(seconds: list[float], scraped_after: int) -> None:
    tallied, direct = Metrics(Service.DATA_PLANE), Metrics(Service.DATA_PLANE)
    tally = DurationTally(tallied, tallied.histogram("tm_http_request_duration_seconds").labels("/x"), LATENCY)
    child = direct.histogram("tm_http_request_duration_seconds").labels("/x")
    for count, each in enumerate(seconds):
        tally.observe(each)
        child.observe(each)
        if count == scraped_after:
            tallied.refresh()
    buckets = [[line for line in _durations(each) if "_sum" not in line] for each in (tallied, direct)]
    assert buckets[0] == buckets[1]
    assert round(tally_sum(tallied), 6) == round(sum(seconds), 6)


def tally_sum(metrics: Metrics) -> float:
    [line] = [line for line in _durations(metrics) if "_sum" in line]
    return float(line.rsplit(" ", 1)[1])


def test_a_count_goes_to_every_counter_once() -> None:
    metrics = Metrics(Service.DATA_PLANE)
    loads = metrics.counter("tm_loads_total")
    tally = BufferedCounter(metrics, loads.labels("loaded").inc, loads.labels("failed").inc)
    tally.count += 3
    for _ in range(2):
        text = metrics.exposition().decode()
        assert 'tm_loads_total{outcome="loaded"} 3.0' in text
        assert 'tm_loads_total{outcome="failed"} 3.0' in text
