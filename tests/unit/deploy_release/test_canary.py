import math

import httpx2
import pytest

from deploy.release.canary import MIN_REQUESTS, Prometheus, verdict
from deploy.release.errors import ReleaseError

GOOD = {"requests": 100_000.0, "errors": 10.0, "p99": 0.004}


class FakeMetrics:
    """Numbers by track; `queries` has what was asked for."""

    def __init__(self, stable: dict[str, float], canary: dict[str, float]) -> None:
        self._tracks = {"stable": stable, "canary": canary}
        self.queries: list[str] = []

    def value(self, query: str) -> float:
        self.queries.append(query)
        track = self._tracks["canary" if 'track="canary"' in query else "stable"]
        kind = "p99" if "histogram_quantile" in query else "errors" if "code=~" in query else "requests"
        return track[kind]


def test_canary_as_good_as_the_others_is_promoted() -> None:
    found = verdict(FakeMetrics(GOOD, GOOD | {"requests": 5000.0, "errors": 1.0}), "10m")
    assert found.promote is True
    assert str(found).splitlines() == [
        "stable: 100000 requests, 0.0100% errors, p99 4.00 ms",
        "canary: 5000 requests, 0.0200% errors, p99 4.00 ms",
        "promote",
    ]


def test_canary_with_more_errors_is_aborted_with_the_numbers() -> None:
    found = verdict(FakeMetrics(GOOD, GOOD | {"requests": 5000.0, "errors": 25.0}), "10m")
    assert found.promote is False
    assert "error ratio is more than 0.1% above" in str(found)


def test_canary_that_is_slower_is_aborted() -> None:
    found = verdict(FakeMetrics(GOOD, GOOD | {"p99": 0.0075}), "10m")
    assert found.promote is False
    assert "p99 is 3.50 ms above" in str(found)


def test_difference_below_the_noise_is_no_reason() -> None:
    assert verdict(FakeMetrics(GOOD | {"p99": 0.001}, GOOD | {"p99": 0.0025}), "10m").promote is True


@pytest.mark.parametrize("requests", [0.0, math.nan, MIN_REQUESTS - 1])
def test_too_few_requests_give_no_verdict(requests: float) -> None:
    found = verdict(FakeMetrics(GOOD, {"requests": requests, "errors": 0.0, "p99": math.nan}), "10m")
    assert found.promote is None
    assert "canary had fewer than 1000 requests in 10m" in str(found)


def test_probes_and_other_namespaces_are_left_out() -> None:
    metrics = FakeMetrics(GOOD, GOOD)
    verdict(metrics, "5m", {"namespace": "tm"})
    assert all('job="data_plane",namespace="tm",track="' in query for query in metrics.queries)
    assert all('route!~"/(health|metrics|schema).*"' in query and "[5m]" in query for query in metrics.queries)


def _prometheus(status: int, body: object) -> Prometheus:
    transport = httpx2.MockTransport(lambda _: httpx2.Response(status, json=body))
    return Prometheus("http://prometheus/", httpx2.Client(transport=transport))


def test_prometheus_answers_with_one_value_or_none() -> None:
    one = {"data": {"result": [{"metric": {}, "value": [1.0, "0.25"]}]}}
    assert _prometheus(200, one).value("up") == 0.25
    assert math.isnan(_prometheus(200, {"data": {"result": []}}).value("up"))


def test_prometheus_that_does_not_answer_is_named() -> None:
    with pytest.raises(ReleaseError, match="Prometheus at http://prometheus did not answer up"):
        _prometheus(503, {}).value("up")
