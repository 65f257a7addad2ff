"""The input series of each alert's unit tests, in promtool's notation (`start+step x count`, one value a minute)."""

from collections.abc import Mapping
from dataclasses import dataclass, field

Series = tuple[str, str]

_LONG = 300


@dataclass(frozen=True, slots=True)
class Case:
    """Series for which the alert fires with these labels and this rendered value, and series for which it stays quiet."""

    fires: list[Series]
    quiet: list[Series]
    labels: Mapping[str, str] = field(default_factory=dict)
    value: str = ""
    raw_value: str = ""
    waits: bool = True
    """Whether the same series must not fire at half of the alert's patience."""


def _level(metric: str, bad: float, good: float, labels: Mapping[str, str], value: str, waits: bool = True) -> Case:
    """A gauge that is above its limit, and one that is not."""
    series = _series(metric, labels)
    return Case(
        [(series, f"{bad:g}x{_LONG}")],
        [(series, f"{good:g}x{_LONG}")],
        labels,
        value,
        raw_value=f"{bad:g}",
        waits=waits,
    )


def _series(metric: str, labels: Mapping[str, str]) -> str:
    inside = ",".join(f'{name}="{value}"' for name, value in labels.items())
    return f"{metric}{{{inside}}}"


def _counted(metric: str, labels: Mapping[str, str]) -> Case:
    """A counter that must stay as it is, rising by one a minute."""
    series = _series(metric, labels)
    return Case([(series, f"0+1x{_LONG}")], [(series, f"7x{_LONG}")], labels, "10", waits=False)


def _absent(job: str) -> Case:
    up = _series("up", {"job": job, "instance": "a"})
    return Case([(up, f"0x{_LONG}")], [(up, f"1x{_LONG}")], {"job": job})


_A = {"instance": "a"}
_RESOLVER = {"job": "data_plane", "instance": "a"}
_TOPIC = {"job": "audit_consumer", "topic": "route-events"}
_CALLS = 'tm_http_requests_total{job="data_plane",instance="%s",route="/api/v1/resolve/{tenant}"}'
_READY = 'tm_ready{job="data_plane",instance="%s"}'
_BOTH_READY = [(_READY % "a", f"1x{_LONG}"), (_READY % "b", f"1x{_LONG}")]
_LAG = 'tm_event_loop_lag_seconds_bucket{job="data_plane",instance="a",le="%s"}'
_AUTH = 'tm_auth_total{job="data_plane",outcome="%s"}'
_BUILD = 'tm_build_info{job="data_plane",instance="%s",version="%s"}'
_RESULTS = 'tm_resolutions_total{result="%s"}'
_SHED = {"job": "data_plane", "reason": "overloaded"}

CASES: Mapping[str, Case] = {
    "ControlPlaneAbsent": _absent("control_plane"),
    "DataPlaneAbsent": _absent("data_plane"),
    "AuditConsumerAbsent": _absent("audit_consumer"),
    "RevisionRegression": _counted("tm_revision_regressions_total", {}),
    "CacheMismatch": _counted("tm_cache_mismatches_total", {"layer": "redis"}),
    "StalenessBoundExceeded": _level("tm_staleness_bound_seconds", 61, 60, _A, "1m 1s"),
    "OutboxStuck": _level("tm_outbox_oldest_unsent_seconds", 31, 30, {}, "31s"),
    "OutboxRecordQuarantined": _counted("tm_outbox_quarantined_total", {}),
    "RelayLeaderCount": _level("tm_outbox_relay_leader", 0, 1, {}, "0"),
    "ConsumerStalled": _level("tm_consumer_stalled_seconds", 61, 60, _TOPIC, "1m 1s", waits=False),
    "ReadyButSilent": Case(
        [*_BOTH_READY, (_CALLS % "a", f"5x{_LONG}"), (_CALLS % "b", f"0+600x{_LONG}")],
        [*_BOTH_READY, (_CALLS % "a", f"0+600x{_LONG}"), (_CALLS % "b", f"0+600x{_LONG}")],
        _RESOLVER,
    ),
    "ReplicaUnusable": _level("tm_replica_usable", 0, 1, {"replica": "r1"}, "0"),
    "BreakerOpen": _level("tm_breaker_state", 2, 1, {"job": "data_plane", "dependency": "redis"}, "2"),
    "ServingStale": Case(
        [(_RESULTS % "found", f"0+98x{_LONG}"), (_RESULTS % "stale", f"0+2x{_LONG}")],
        [(_RESULTS % "found", f"0+995x{_LONG}"), (_RESULTS % "stale", f"0+5x{_LONG}")],
        value="2%",
    ),
    "EventLoopSlow": Case(
        [(_LAG % "0.1", f"0+97x{_LONG}"), (_LAG % "0.3", f"0+100x{_LONG}"), (_LAG % "+Inf", f"0+100x{_LONG}")],
        [(_LAG % "0.1", f"0+100x{_LONG}"), (_LAG % "0.3", f"0+100x{_LONG}"), (_LAG % "+Inf", f"0+100x{_LONG}")],
        _RESOLVER,
        "233.3ms",
    ),
    "SheddingLoad": Case(
        [(_series("tm_http_requests_shed_total", _SHED), f"0+60x{_LONG}")],
        [(_series("tm_http_requests_shed_total", {**_SHED, "reason": "rate_limited"}), f"0+60x{_LONG}")],
        _SHED,
        "1",
    ),
    "DeadLetters": _level("tm_dlq_depth", 3, 0, {}, "3"),
    "SnapshotOld": Case(
        [('tm_snapshot_age_seconds{instance="a"}', f"960x{_LONG}"), ('tm_cache_entries{instance="a"}', f"5x{_LONG}")],
        [('tm_snapshot_age_seconds{instance="a"}', f"960x{_LONG}"), ('tm_cache_entries{instance="a"}', f"0x{_LONG}")],
        _A,
        "16m 0s",
    ),
    "SchemaBehind": _level("tm_schema_current", 0, 1, _A, "0"),
    "AuthFailuresHigh": Case(
        [(_AUTH % "ok", f"0+600x{_LONG}"), (_AUTH % "invalid", f"0+120x{_LONG}")],
        [(_AUTH % "ok", f"0+6000x{_LONG}"), (_AUTH % "invalid", f"0+120x{_LONG}")],
        {"job": "data_plane"},
        "2",
    ),
    "VersionSkew": Case(
        [(_BUILD % ("a", "1"), f"1x{_LONG}"), (_BUILD % ("b", "2"), f"1x{_LONG}")],
        [(_BUILD % ("a", "1"), f"1x{_LONG}"), (_BUILD % ("b", "1"), f"1x{_LONG}")],
        {"job": "data_plane"},
        "2",
    ),
    "ConsumerLagging": _level("tm_consumer_lag_seconds", 31, 30, _TOPIC, "31s"),
    "CardinalityHigh": _level("scrape_samples_scraped", 1501, 1500, _RESOLVER, "1501"),
}
