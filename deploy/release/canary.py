"""Compares the canary's error ratio and latency with those of the stable resolvers, from Prometheus."""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol

import httpx2

from deploy.release.errors import ReleaseError

MIN_REQUESTS = 1000
"""Fewer say nothing about a ratio of one in a thousand."""
MAX_MORE_ERRORS = 0.001
MAX_SLOWER_RATIO = 1.25
MAX_SLOWER_SECONDS = 0.002
"""A p99 that is slower by less than this is noise, whatever the ratio."""

_REQUESTS = "sum(increase(tm_http_requests_total{{{which}}}[{window}]))"
_ERRORS = 'sum(increase(tm_http_requests_total{{{which},code=~"5.."}}[{window}])) or vector(0)'
_ASKED_BY_CALLERS = 'route!~"/(health|metrics|schema).*"'
_P99 = "histogram_quantile(0.99, sum by (le) (rate(tm_http_request_duration_seconds_bucket{{{which}}}[{window}])))"


class Metrics(Protocol):
    """Where queries are answered."""

    def value(self, query: str) -> float:
        """The one value of a PromQL expression; NaN when there is none. Raises ReleaseError."""
        ...


class Prometheus:
    """The HTTP API of a Prometheus server."""

    def __init__(self, url: str, http: httpx2.Client) -> None:
        self._url = url.rstrip("/")
        self._http = http

    def value(self, query: str) -> float:
        """As the protocol says."""
        try:
            answer = self._http.get(f"{self._url}/api/v1/query", params={"query": query})
            answer.raise_for_status()
            series = answer.json()["data"]["result"]
        except (httpx2.HTTPError, KeyError, ValueError) as error:
            raise ReleaseError(f"Prometheus at {self._url} did not answer {query}: {error}") from error
        return float(series[0]["value"][1]) if series else math.nan


@dataclass(frozen=True, slots=True)
class Track:
    """What one track's pods did in the window."""

    requests: float
    errors: float
    p99_seconds: float

    @property
    def error_ratio(self) -> float:
        """Answers with a status of 5xx among all."""
        return self.errors / self.requests if self.requests else math.nan

    def __str__(self) -> str:
        if not self.requests:
            return "no requests"
        return f"{self.requests:.0f} requests, {self.error_ratio:.4%} errors, p99 {self.p99_seconds * 1000:.2f} ms"


@dataclass(frozen=True, slots=True)
class Verdict:
    """`promote` is None when there are too few requests to say."""

    promote: bool | None
    reasons: tuple[str, ...]
    stable: Track
    canary: Track

    def __str__(self) -> str:
        word = {True: "promote", False: "abort", None: "wait"}[self.promote]
        return "\n".join([f"stable: {self.stable}", f"canary: {self.canary}", *self.reasons, word])


def verdict(metrics: Metrics, window: str, selector: Mapping[str, str] | None = None) -> Verdict:
    """Compare both tracks over the last `window` (as PromQL writes it: 10m). `selector`: further labels of both.

    Raises ReleaseError when the metrics cannot be read.
    """
    stable, canary = (
        _track(metrics, window, {"job": "data_plane", **(selector or {}), "track": name})
        for name in ("stable", "canary")
    )
    few = [
        f"{name} had fewer than {MIN_REQUESTS} requests in {window}"
        for name, track in (("stable", stable), ("canary", canary))
        if not track.requests >= MIN_REQUESTS
    ]
    worse = [] if few else _worse(stable, canary)
    return Verdict(None if few else not worse, tuple(few + worse), stable, canary)


def _worse(stable: Track, canary: Track) -> list[str]:
    reasons = []
    if canary.error_ratio > stable.error_ratio + MAX_MORE_ERRORS:
        reasons.append(f"the canary's error ratio is more than {MAX_MORE_ERRORS:.1%} above stable's")
    slower = canary.p99_seconds - stable.p99_seconds
    if slower > max(MAX_SLOWER_SECONDS, (MAX_SLOWER_RATIO - 1) * stable.p99_seconds):
        reasons.append(f"the canary's p99 is {slower * 1000:.2f} ms above stable's")
    return reasons


def _track(metrics: Metrics, window: str, labels: Mapping[str, str]) -> Track:
    # Probes and scrapes would make every ratio look better than what callers see. Requests that are refused before they are
    # routed have no route of the API.
    which = ",".join([*(f'{name}="{value}"' for name, value in labels.items()), _ASKED_BY_CALLERS])
    requests, errors, p99 = (
        metrics.value(each.format(which=which, window=window)) for each in (_REQUESTS, _ERRORS, _P99)
    )
    return Track(0.0 if math.isnan(requests) else requests, errors, p99)
