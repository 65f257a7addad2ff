"""Every metric that the services export. `Metrics` creates them from here, and docs/metrics.md is written from here."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

from shared.runtime.service import Service

ALL = frozenset(Service)
CONTROL = frozenset({Service.CONTROL_PLANE})
DATA = frozenset({Service.DATA_PLANE})
AUDIT = frozenset({Service.AUDIT_CONSUMER})
CONSUMERS = DATA | AUDIT

OPEN: tuple[str, ...] = ()
"""Label values that are only known at run time."""

LATENCY = (0.0005, 0.001, 0.0025, 0.005, 0.01, 0.02, 0.05, 0.1, 0.3, 1, 2, 5)
DELAY = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2, 5, 10, 30, 60, 120)
AGES = (0.1, 0.5, 1, 2, 5, 10, 20, 30, 60, 120, 600, 3600)
"""With the TTLs of negative and of positive entries."""
SIZES = (1, 2, 5, 10, 20, 50, 100, 200, 500, 1000)

Merge = Literal["livesum", "livemax", "livemin", "liveall"]


@dataclass(frozen=True, slots=True)
class Metric:
    """One metric. `labels` maps each label to its values (or OPEN); `buckets` are in the base unit of the name's suffix.

    `merge` is how a gauge's values of several worker processes become one (prometheus_client's multiprocess modes).
    """

    name: str
    kind: Literal["counter", "gauge", "histogram"]
    help: str
    services: frozenset[Service]
    labels: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    buckets: tuple[float, ...] = ()
    merge: Merge = "livesum"


def _counter(name: str, services: frozenset[Service], text: str, **labels: tuple[str, ...]) -> Metric:
    return Metric(name, "counter", text, services, labels)


def _gauge(
    name: str, services: frozenset[Service], text: str, merge: Merge = "livesum", **labels: tuple[str, ...]
) -> Metric:
    return Metric(name, "gauge", text, services, labels, merge=merge)


def _histogram(
    name: str, services: frozenset[Service], text: str, buckets: tuple[float, ...], **labels: tuple[str, ...]
) -> Metric:
    return Metric(name, "histogram", text, services, labels, buckets)


_LAYERS = ("l1", "redis")
_SOURCES = ("replica", "primary")
_PUBLISHED = ("route-events", "access-keys")
_LEVELS = ("debug", "info", "warning", "error", "critical")

CATALOGUE: tuple[Metric, ...] = (
    _gauge(
        "tm_build_info",
        ALL,
        "Always 1; the labels give the release, its commit, and Python's version",
        "livemax",
        version=OPEN,
        revision=OPEN,
        python=OPEN,
    ),
    _gauge("tm_ready", ALL, "1 when the process is ready for traffic", "livemin"),
    _gauge("tm_draining", ALL, "1 from SIGTERM until the process exits", "livemax"),
    _counter(
        "tm_http_requests_total",
        ALL,
        "Responses, by route template, method and status",
        route=OPEN,
        method=OPEN,
        code=OPEN,
    ),
    _histogram(
        "tm_http_request_duration_seconds",
        ALL,
        "Time from the request to the last byte of its response",
        LATENCY,
        route=OPEN,
    ),
    _gauge("tm_http_requests_in_flight", ALL, "Requests in flight"),
    _counter(
        "tm_http_requests_shed_total",
        ALL,
        "Requests that were rejected, or cancelled at their deadline, to bound load",
        reason=("rate_limited", "tenant_reads", "overloaded", "deadline"),
    ),
    _gauge("tm_dependency_up", ALL, "0 when the last call to the dependency failed", "livemin", dependency=OPEN),
    _gauge(
        "tm_breaker_state",
        ALL,
        "State of the dependency's circuit breaker: 0 closed, 1 half-open, 2 open",
        "livemax",
        dependency=OPEN,
    ),
    _counter("tm_dependency_requests_total", ALL, "Calls to a dependency, by outcome", dependency=OPEN, outcome=OPEN),
    _histogram(
        "tm_dependency_request_duration_seconds", ALL, "Duration of calls that got a response", LATENCY, dependency=OPEN
    ),
    _gauge(
        "tm_pool_connections",
        ALL,
        "Connections to a dependency: used by a call, idle, and calls that wait for one",
        dependency=OPEN,
        state=("idle", "used", "waiting"),
    ),
    _gauge("tm_http_connections_open", ALL, "Open connections to the HTTP port, idle ones included", "livemax"),
    _histogram("tm_event_loop_lag_seconds", ALL, "Delay of a timer of the event loop", LATENCY),
    _counter(
        "tm_spans_dropped_total", ALL, "Spans that were not exported: the queue was full, or the collector failed"
    ),
    _counter("tm_log_records_total", ALL, "Log records written", level=_LEVELS),
    _counter(
        "tm_auth_total",
        ALL,
        "Authentication results; a request that is then forbidden counts as ok and as forbidden",
        outcome=("ok", "missing", "invalid", "expired", "revoked", "forbidden"),
    ),
    _gauge("tm_access_keys", ALL, "Access keys that this process accepts", "livemax"),
    _gauge(
        "tm_access_watermark_age_seconds",
        ALL,
        "Age of the time up to which this process has applied all changes of access keys",
        "livemax",
    ),
    # control plane
    _counter(
        "tm_changes_total",
        CONTROL,
        "Requested changes, by action and outcome",
        action=("created", "updated", "activated", "deactivated", "none"),
        outcome=("committed", "unchanged", "rejected", "conflict", "failed"),
    ),
    _histogram("tm_change_set_changes", CONTROL, "Changes per committed change set", SIZES),
    _histogram("tm_commit_duration_seconds", CONTROL, "Duration of a write transaction, begin to commit", LATENCY),
    _gauge("tm_outbox_unsent", CONTROL, "Committed events that are not published to Kafka yet", "livemax"),
    _gauge("tm_outbox_oldest_unsent_seconds", CONTROL, "Age of the oldest unpublished event", "livemax"),
    _gauge(
        "tm_outbox_quarantined_records",
        CONTROL,
        "Records that Kafka refused for good, until they are retried or dropped",
        "livemax",
    ),
    _counter(
        "tm_outbox_quarantined_total",
        CONTROL,
        "Records moved to quarantine: Kafka refused them for good",
        topic=_PUBLISHED,
    ),
    _gauge(
        "tm_outbox_relay_leader",
        CONTROL,
        "1 in the process that runs the active relay; the sum over all processes is 1",
    ),
    _counter("tm_outbox_published_total", CONTROL, "Events acknowledged by Kafka", topic=_PUBLISHED),
    _counter(
        "tm_outbox_publish_failures_total",
        CONTROL,
        "Failed attempts to publish",
        topic=_PUBLISHED,
        reason=("timeout", "unavailable", "rejected"),
    ),
    _histogram(
        "tm_outbox_publish_delay_seconds",
        CONTROL,
        "Time from commit to Kafka's acknowledgement",
        DELAY,
        topic=_PUBLISHED,
    ),
    _gauge("tm_tenants", CONTROL, "Tenants, counted by the process that leads the relay; 0 elsewhere", "livemax"),
    _gauge(
        "tm_routes",
        CONTROL,
        "Routes of all tenants, counted by the process that leads the relay; 0 elsewhere",
        "livemax",
        state=("active", "inactive"),
    ),
    _gauge(
        "tm_schema_current",
        CONTROL,
        "1 when the schema of PostgreSQL is the one that this release needs, or a newer one",
        "livemin",
    ),
    _counter(
        "tm_resolver_reports_total",
        CONTROL,
        "Status reports read from resolver-status, by outcome",
        outcome=("accepted", "withdrawn", "malformed", "unsupported_schema"),
    ),
    _gauge(
        "tm_resolver_processes",
        CONTROL,
        "Resolver processes that report (live), and that stopped reporting without withdrawing (gone)",
        "livemax",
        state=("live", "gone"),
    ),
    # data plane
    _counter(
        "tm_resolutions_total",
        DATA,
        "Resolved keys, by result and the layer that served it",
        result=("found", "negative", "stale", "unavailable"),
        layer=(*_LAYERS, *_SOURCES, "none"),
    ),
    _counter(
        "tm_cache_lookups_total",
        DATA,
        "Cache lookups",
        layer=_LAYERS,
        outcome=("hit", "negative", "miss", "expired", "error"),
    ),
    _counter(
        "tm_cache_writes_total",
        DATA,
        "Cache writes",
        layer=_LAYERS,
        outcome=("stored", "refused_older", "refused_behind", "refused_limit", "failed"),
    ),
    _gauge("tm_cache_entries", DATA, "Entries in the L1 cache", kind=("positive", "never_created", "tombstone")),
    _gauge("tm_cache_bytes", DATA, "Estimated memory of the entries in the L1 cache, from a sample of them"),
    _histogram(
        "tm_answer_age_seconds",
        DATA,
        "Time since the answer's entry was read from the database, of one answer in a hundred",
        AGES,
        kind=("positive", "negative"),
    ),
    _counter("tm_cache_evictions_total", DATA, "Entries evicted from the L1 cache", reason=("capacity",)),
    _counter(
        "tm_loads_total", DATA, "Loads of a key from Redis or a database", outcome=("loaded", "coalesced", "failed")
    ),
    _histogram(
        "tm_load_batch_keys",
        DATA,
        "Keys per load batch",
        SIZES,
        source=("redis", *_SOURCES),
    ),
    _histogram("tm_propagation_seconds", DATA, "Time from commit to applied in this process", DELAY),
    _gauge(
        "tm_staleness_bound_seconds",
        DATA,
        "Age of the time up to which this process has applied every change",
        "livemax",
    ),
    _counter(
        "tm_events_total",
        DATA,
        "Events consumed, by outcome",
        topic=("route-events",),
        outcome=("applied", "duplicate", "older", "withheld", "invalid"),
    ),
    _counter("tm_revision_gaps_total", DATA, "Tenant revisions missing from the event stream"),
    _gauge("tm_suspect_tenants", DATA, "Tenants with suspect entries, which are being revalidated", "livemax"),
    _counter("tm_revision_regressions_total", DATA, "Answers with a lower revision than an earlier one; must stay 0"),
    _gauge(
        "tm_replica_lag_seconds",
        DATA,
        "Upper bound on the replica's lag; grows while the replica does not respond, +Inf before its first response",
        "livemax",
        replica=OPEN,
    ),
    _gauge("tm_replica_usable", DATA, "0 while the replica lags too far or does not respond", "livemin", replica=OPEN),
    _gauge("tm_snapshot_age_seconds", DATA, "Time since the last snapshot was written, or since the start", "livemin"),
    _gauge("tm_snapshot_bytes", DATA, "Size of the last snapshot written", "livemax"),
    _counter(
        "tm_snapshot_failures_total",
        DATA,
        "Snapshots that could not be written, or were rejected when read",
        op=("write", "read"),
    ),
    _gauge(
        "tm_warm_start_source_info",
        DATA,
        "1 for the source of the keys that the warm-up loaded; no series without a warm-up source",
        "livemax",
        source=("snapshot", "redis", "replica"),
    ),
    _counter(
        "tm_verifier_samples_total", DATA, "Cached entries that the verifier compared with the database", layer=_LAYERS
    ),
    _counter(
        "tm_cache_mismatches_total", DATA, "Cached entries that contradict the database; must stay 0", layer=_LAYERS
    ),
    _gauge("tm_change_log_bytes", DATA, "Memory of the change logs from which watches are served, about"),
    _gauge("tm_watch_snapshot_bytes", DATA, "Bytes of the tenant snapshots that watches send now"),
    _gauge("tm_watch_clients", DATA, "Open watches"),
    _counter(
        "tm_watch_closed_total",
        DATA,
        "Closed watches, by reason",
        reason=("client", "slow", "drain", "gap", "revoked"),
    ),
    # both consumers
    _gauge("tm_consumer_lag_records", CONSUMERS, "Records not consumed yet", "livemax", topic=OPEN, partition=OPEN),
    _gauge(
        "tm_consumer_lag_seconds",
        CONSUMERS,
        "Upper bound on the age of the oldest record not consumed yet",
        "livemax",
        topic=OPEN,
        partition=OPEN,
    ),
    _gauge(
        "tm_consumer_stalled_seconds",
        CONSUMERS,
        "Time without progress while records are waiting",
        "livemax",
        topic=OPEN,
        partition=OPEN,
    ),
    # audit consumer
    _counter(
        "tm_audit_events_total",
        AUDIT,
        "Changes read from Kafka, by outcome",
        outcome=("stored", "duplicate", "dead_lettered", "skipped"),
    ),
    _histogram("tm_audit_delay_seconds", AUDIT, "Time from commit to stored in MongoDB", DELAY),
    _histogram("tm_audit_batch_changes", AUDIT, "Documents per write to MongoDB", SIZES),
    _histogram("tm_audit_write_duration_seconds", AUDIT, "Duration of a write to MongoDB", LATENCY),
    _counter(
        "tm_dlq_records_total",
        AUDIT,
        "Records moved to the dead letter queue",
        reason=("malformed", "unsupported_schema", "unstorable", "withheld"),
    ),
    _gauge("tm_dlq_depth", AUDIT, "Records in the dead letter queue", "livemax"),
)
