"""The alerts besides the burn rates."""

from dataclasses import replace

from deploy.prometheus.rule import Alert
from deploy.prometheus.slos import SLOS, burn_alerts

_JOBS = {"ControlPlane": "control_plane", "DataPlane": "data_plane", "AuditConsumer": "audit_consumer"}
_DASHBOARD_OF_JOB = {"control_plane": "control-plane", "data_plane": "resolver", "audit_consumer": "audit"}


def _page(
    name: str, expression: str, hold: str, summary: str, description: str, dashboard: str, *metrics: str
) -> Alert:
    return Alert(
        f"TrafficManager{name}", expression, hold, "page", summary, description, dashboard, metrics, f"`{expression}`"
    )


def _ticket(
    name: str, expression: str, summary: str, description: str, dashboard: str, *metrics: str, hold: str = "5m"
) -> Alert:
    return Alert(
        f"TrafficManager{name}",
        expression,
        hold,
        "ticket",
        summary,
        description,
        dashboard,
        metrics,
        f"`{expression}`",
        scales=True,
    )


def _absent(service: str) -> Alert:
    job = _JOBS[service]
    absent = _page(
        f"{service}Absent",
        f'absent(up{{job="{job}"}} == 1)',
        "2m",
        f"No instance of {job} answers scrapes",
        f"Prometheus reaches no instance of {job}: all are down, or discovery lost them.",
        _DASHBOARD_OF_JOB[job],
        "up",
    )
    return replace(absent, labels={"job": job})  # `absent` of a comparison has no labels


_PAGES = (
    *map(_absent, _JOBS),
    _page(
        "RevisionRegression",
        "sum by (namespace) (increase(tm_revision_regressions_total[10m])) > 0",
        "0s",
        "A resolver answered with an older revision than before",
        "{{ $value | humanize }} answers in 10 minutes had a lower revision than an earlier answer of their process.",
        "freshness",
        "tm_revision_regressions_total",
    ),
    _page(
        "CacheMismatch",
        "sum by (namespace, layer) (increase(tm_cache_mismatches_total[10m])) > 0",
        "0s",
        "Entries in the cache {{ $labels.layer }} contradict the database",
        "The cache verifier found {{ $value | humanize }} wrong entries in {{ $labels.layer }} in 10 minutes.",
        "freshness",
        "tm_cache_mismatches_total",
    ),
    _page(
        "StalenessBoundExceeded",
        "max by (namespace, instance) (tm_staleness_bound_seconds) > 60",
        "1m",
        "Answers of {{ $labels.instance }} may be older than 60 s",
        "{{ $labels.instance }} has not heard of every change for {{ $value | humanizeDuration }}.",
        "freshness",
        "tm_staleness_bound_seconds",
    ),
    _page(
        "OutboxStuck",
        "max by (namespace) (tm_outbox_oldest_unsent_seconds) > 30",
        "1m",
        "Committed changes are not published to Kafka",
        "The oldest committed change has waited for {{ $value | humanizeDuration }}. Resolvers answer without it.",
        "control-plane",
        "tm_outbox_oldest_unsent_seconds",
    ),
    _page(
        "OutboxRecordQuarantined",
        "sum by (namespace) (increase(tm_outbox_quarantined_total[10m])) > 0",
        "0s",
        "Kafka refused a record for good",
        "{{ $value | humanize }} records were moved to quarantine in 10 minutes. The audit trail lacks their changes.",
        "control-plane",
        "tm_outbox_quarantined_total",
    ),
    _page(
        "RelayLeaderCount",
        "sum by (namespace) (tm_outbox_relay_leader) != 1",
        "2m",
        "{{ $value }} processes run the active relay, not one",
        "With none, changes are not published. With two, a process believes in a lock that it lost.",
        "control-plane",
        "tm_outbox_relay_leader",
    ),
    _page(
        "ConsumerStalled",
        "max by (namespace, job, topic) (tm_consumer_stalled_seconds) > 60",
        "0s",
        "{{ $labels.job }} makes no progress on {{ $labels.topic }}",
        "Records of {{ $labels.topic }} wait, and {{ $labels.job }} has processed none for {{ $value | humanizeDuration }}.",
        "freshness",
        "tm_consumer_stalled_seconds",
    ),
    _page(
        "ReadyButSilent",
        "sum by (namespace, job, slot, instance) (tm_ready) == 1"
        ' unless sum by (namespace, job, slot, instance) (rate(tm_http_requests_total{route=~"/api/.*"}[5m])) > 0'
        " and on (namespace, job, slot)"
        ' sum by (namespace, job, slot) (rate(tm_http_requests_total{route=~"/api/.*"}[5m])) > 1',
        "5m",
        "{{ $labels.instance }} is ready and answers nothing",
        "Other instances of {{ $labels.job }} answer requests; {{ $labels.instance }} has answered none for minutes.",
        "overview",
        "tm_ready",
        "tm_http_requests_total",
    ),
)

_ANSWERS = "sum by (namespace) (rate(tm_resolutions_total[5m]))"
_STALE = 'sum by (namespace) (rate(tm_resolutions_total{result="stale"}[5m]))'
_CREDENTIALS = "sum by (namespace, job) (rate(tm_auth_total[5m]))"
_REFUSED = 'sum by (namespace, job) (rate(tm_auth_total{outcome=~"missing|invalid|expired|revoked"}[5m]))'

_TICKETS = (
    _ticket(
        "ReplicaUnusable",
        "min by (namespace, replica) (tm_replica_usable) == 0",
        "The replica {{ $labels.replica }} serves no loads",
        "{{ $labels.replica }} lags too far or does not respond. Loads use other replicas, or the primary.",
        "dependencies",
        "tm_replica_usable",
    ),
    _ticket(
        "BreakerOpen",
        "max by (namespace, job, dependency) (max_over_time(tm_breaker_state[1m])) == 2",
        "{{ $labels.job }} rejects calls to {{ $labels.dependency }}",
        "Calls of {{ $labels.job }} to {{ $labels.dependency }} keep failing, so that its breaker opens again and again.",
        "dependencies",
        "tm_breaker_state",
    ),
    _ticket(
        "ServingStale",
        f"{_STALE} / ({_ANSWERS} > 0) > 0.01",
        "{{ $value | humanizePercentage }} of answers are stale",
        "Entries expire and no source answers. When they become too old, resolves fail.",
        "resolver",
        "tm_resolutions_total",
    ),
    _ticket(
        "EventLoopSlow",
        "histogram_quantile(0.99, sum by (namespace, job, instance, le)"
        " (rate(tm_event_loop_lag_seconds_bucket[5m]))) > 0.1",
        "The event loop of {{ $labels.instance }} is late",
        "The 99th percentile of the event loop's lag in {{ $labels.job }} is {{ $value | humanizeDuration }}.",
        "dependencies",
        "tm_event_loop_lag_seconds",
    ),
    _ticket(
        "SheddingLoad",
        'sum by (namespace, job, reason) (rate(tm_http_requests_shed_total{reason=~"overloaded|deadline"}[5m])) > 0.1',
        "{{ $labels.job }} rejects requests: {{ $labels.reason }}",
        "{{ $labels.job }} rejects {{ $value | humanize }} requests a second to bound its load.",
        "overview",
        "tm_http_requests_shed_total",
    ),
    _ticket(
        "DeadLetters",
        "max by (namespace) (tm_dlq_depth) > 0",
        "The dead letter queue holds {{ $value }} records",
        "Changes in the dead letter queue are missing from the audit trail until they are replayed.",
        "audit",
        "tm_dlq_depth",
    ),
    _ticket(
        "SnapshotOld",
        # A process with an empty L1 writes no snapshot: the one on disk is worth more.
        "max by (namespace, instance) (tm_snapshot_age_seconds) > 900"
        " and sum by (namespace, instance) (tm_cache_entries) > 0",
        "The cache snapshot of {{ $labels.instance }} is old",
        "The last snapshot was written {{ $value | humanizeDuration }} ago. A restart would begin with a cold cache.",
        "resolver",
        "tm_snapshot_age_seconds",
        "tm_cache_entries",
    ),
    _ticket(
        "SchemaBehind",
        "min by (namespace, instance) (tm_schema_current) == 0",
        "{{ $labels.instance }} needs a newer schema",
        "The migration of the release of {{ $labels.instance }} has not run; the instance is not ready until it has.",
        "control-plane",
        "tm_schema_current",
    ),
    _ticket(
        "AuthFailuresHigh",
        f"{_REFUSED} > 1 and {_REFUSED} / {_CREDENTIALS} > 0.1",
        "{{ $labels.job }} refuses many credentials",
        "{{ $labels.job }} refuses {{ $value | humanize }} requests a second, more than 10 % of all.",
        "overview",
        "tm_auth_total",
    ),
    _ticket(
        "VersionSkew",
        "count by (namespace, job) (count by (namespace, job, version) (tm_build_info)) > 1",
        "{{ $value }} versions of {{ $labels.job }} run at once",
        "A roll-out of {{ $labels.job }} has not ended for hours.",
        "overview",
        "tm_build_info",
        hold="4h",
    ),
    _ticket(
        "ConsumerLagging",
        "max by (namespace, job, topic) (tm_consumer_lag_seconds) > 30",
        "{{ $labels.job }} lags behind {{ $labels.topic }}",
        "The oldest record that {{ $labels.job }} has not processed has waited for {{ $value | humanizeDuration }}.",
        "freshness",
        "tm_consumer_lag_seconds",
    ),
    _ticket(
        "CardinalityHigh",
        'scrape_samples_scraped{job=~"control_plane|data_plane|audit_consumer"} > 1500',
        "{{ $labels.instance }} exports too many series",
        "{{ $labels.instance }} of {{ $labels.job }} exports {{ $value }} series; 1500 are expected at most.",
        "dependencies",
        "scrape_samples_scraped",
    ),
)

ALERTS: tuple[Alert, ...] = (*(alert for slo in SLOS for alert in burn_alerts(slo)), *_PAGES, *_TICKETS)
