"""Every metric the services export: the source of the code, of docs/metrics.md and of the test that compares them."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Literal


class Service(StrEnum):
    """The three services, as they are named in logs, metrics and clients."""

    CONTROL_PLANE = "control_plane"
    DATA_PLANE = "data_plane"
    AUDIT_CONSUMER = "audit_consumer"


ALL = frozenset(Service)
CONTROL = frozenset({Service.CONTROL_PLANE})
DATA = frozenset({Service.DATA_PLANE})
AUDIT = frozenset({Service.AUDIT_CONSUMER})
CONSUMERS = DATA | AUDIT

OPEN: tuple[str, ...] = ()
"""The values of a label that are not known when the process starts."""

LATENCY = (0.0005, 0.001, 0.0025, 0.005, 0.01, 0.02, 0.05, 0.1, 0.3, 1, 2, 5)
DELAY = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2, 5, 10, 30, 60, 120)
SIZES = (1, 2, 5, 10, 20, 50, 100, 200, 500, 1000)

Merge = Literal["livesum", "livemax", "livemin", "liveall"]


@dataclass(frozen=True, slots=True)
class Metric:
    """One metric: labels with their closed value sets (or OPEN), edges in base units, how workers' gauges merge."""

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
    _gauge("tm_build_info", ALL, "1; the labels say what runs", "livemax", version=OPEN, python=OPEN),
    _gauge("tm_ready", ALL, "1 when the process should get traffic", "livemin"),
    _gauge("tm_draining", ALL, "1 from SIGTERM to the end", "livemax"),
    _counter("tm_http_requests_total", ALL, "Requests answered, by route template", route=OPEN, method=OPEN, code=OPEN),
    _histogram("tm_http_request_duration_seconds", ALL, "From request to last byte handed over", LATENCY, route=OPEN),
    _gauge("tm_http_requests_in_flight", ALL, "Requests being answered"),
    _counter(
        "tm_http_requests_shed_total",
        ALL,
        "Requests refused, or ended at their deadline, to protect others",
        reason=("rate_limited", "overloaded", "deadline"),
    ),
    _gauge("tm_dependency_up", ALL, "0 when the last call to it failed", "livemin", dependency=OPEN),
    _gauge("tm_breaker_state", ALL, "0 closed, 1 half-open, 2 open", "livemax", dependency=OPEN),
    _counter("tm_dependency_requests_total", ALL, "Calls to a dependency", dependency=OPEN, outcome=OPEN),
    _histogram("tm_dependency_request_duration_seconds", ALL, "Calls that were answered", LATENCY, dependency=OPEN),
    _histogram("tm_event_loop_lag_seconds", ALL, "How late a timer of the event loop fires", LATENCY),
    _counter("tm_log_records_total", ALL, "Log records written", level=_LEVELS),
    _counter(
        "tm_auth_total",
        ALL,
        "Requests by what became of their credential; forbidden ones count as ok, too",
        outcome=("ok", "missing", "invalid", "expired", "revoked", "forbidden"),
    ),
    _gauge("tm_access_keys", ALL, "Access keys this process accepts", "livemax"),
    _gauge("tm_access_watermark_age_seconds", ALL, "Since when no change of a key was missing here", "livemax"),
    # control plane
    _counter(
        "tm_changes_total",
        CONTROL,
        "Changes asked for",
        action=("created", "updated", "activated", "deactivated", "none"),
        outcome=("committed", "unchanged", "rejected", "conflict", "failed"),
    ),
    _histogram("tm_change_set_changes", CONTROL, "Changes in a committed change set", SIZES),
    _histogram("tm_commit_duration_seconds", CONTROL, "A change's transaction, begin to commit", LATENCY),
    _gauge("tm_outbox_unsent", CONTROL, "Committed events that are not in Kafka yet", "livemax"),
    _gauge("tm_outbox_oldest_unsent_seconds", CONTROL, "Age of the oldest of them", "livemax"),
    _gauge("tm_outbox_relay_leader", CONTROL, "1 in the process whose relay is active; the sum over all is 1"),
    _counter("tm_outbox_published_total", CONTROL, "Events that Kafka acknowledged", topic=_PUBLISHED),
    _counter(
        "tm_outbox_publish_failures_total",
        CONTROL,
        "Attempts to publish that failed",
        topic=_PUBLISHED,
        reason=("timeout", "unavailable", "rejected"),
    ),
    _histogram("tm_outbox_publish_delay_seconds", CONTROL, "Commit to acknowledged by Kafka", DELAY, topic=_PUBLISHED),
    _counter(
        "tm_resolver_reports_total",
        CONTROL,
        "Status reports of resolver processes read",
        outcome=("heard", "withdrawn", "malformed", "unsupported_schema"),
    ),
    _gauge(
        "tm_resolver_processes",
        CONTROL,
        "Resolver processes that report, and that went silent without withdrawing",
        "livemax",
        state=("live", "gone"),
    ),
    # data plane
    _counter(
        "tm_resolutions_total",
        DATA,
        "Answers to resolve requests",
        result=("found", "absent", "stale", "unavailable"),
        layer=(*_LAYERS, *_SOURCES, "none"),
    ),
    _counter(
        "tm_cache_lookups_total",
        DATA,
        "Look-ups in a cache",
        layer=_LAYERS,
        outcome=("hit", "negative", "miss", "expired", "error"),
    ),
    _counter(
        "tm_cache_writes_total",
        DATA,
        "Writes to a cache",
        layer=_LAYERS,
        outcome=("stored", "refused_older", "refused_behind", "failed"),
    ),
    _gauge("tm_cache_entries", DATA, "Entries in the process's cache", kind=("positive", "negative", "tombstone")),
    _counter("tm_cache_evictions_total", DATA, "Entries that gave way to others", reason=("capacity",)),
    _counter("tm_loads_total", DATA, "Loads of a missing key", outcome=("loaded", "coalesced", "failed")),
    _histogram(
        "tm_load_batch_keys",
        DATA,
        "Keys asked for in one question to a source",
        SIZES,
        source=("redis", *_SOURCES),
    ),
    _histogram("tm_propagation_seconds", DATA, "Commit to applied in this process", DELAY),
    _gauge("tm_staleness_bound_seconds", DATA, "Age of the last moment up to which every change was heard", "livemax"),
    _counter(
        "tm_events_total",
        DATA,
        "Events heard",
        topic=("route-events",),
        outcome=("applied", "duplicate", "older", "invalid"),
    ),
    _counter("tm_revision_gaps_total", DATA, "Revisions of a tenant that were skipped in the stream"),
    _gauge("tm_suspect_tenants", DATA, "Tenants whose entries are being revalidated", "livemax"),
    _counter("tm_revision_regressions_total", DATA, "Answers older than one given before; stays 0"),
    _gauge(
        "tm_replica_lag_seconds",
        DATA,
        "How far the replica is behind at most: 0 when it has all; grows while it is silent, +Inf when it has never told",
        "livemax",
        replica=OPEN,
    ),
    _gauge("tm_replica_usable", DATA, "0 while the replica is too far behind or silent", "livemin", replica=OPEN),
    _gauge("tm_snapshot_age_seconds", DATA, "Since the last snapshot was written here, or since the start", "livemin"),
    _gauge("tm_snapshot_bytes", DATA, "Size of the last snapshot written", "livemax"),
    _counter("tm_snapshot_failures_total", DATA, "Snapshots not written, or refused", op=("write", "read")),
    _gauge(
        "tm_warm_start_source_info",
        DATA,
        "1 for where a start learnt which routes are used; none when from nowhere",
        "livemax",
        source=("snapshot", "redis", "replica"),
    ),
    _counter("tm_selfcheck_samples_total", DATA, "Cached routes compared with the database", layer=_LAYERS),
    _counter("tm_cache_mismatches_total", DATA, "Cached routes that contradict the database; stays 0", layer=_LAYERS),
    _gauge("tm_watch_clients", DATA, "Watches that are open"),
    _counter(
        "tm_watch_closed_total",
        DATA,
        "Watches that came to an end",
        reason=("client", "slow", "drain", "gap", "revoked"),
    ),
    # both consumers
    _gauge("tm_consumer_lag_records", CONSUMERS, "Records not consumed yet", "livemax", topic=OPEN, partition=OPEN),
    _gauge(
        "tm_consumer_lag_seconds",
        CONSUMERS,
        "How long the oldest record not consumed may have been waiting",
        "livemax",
        topic=OPEN,
        partition=OPEN,
    ),
    _gauge(
        "tm_consumer_stalled_seconds",
        CONSUMERS,
        "Time without progress while lagging",
        "livemax",
        topic=OPEN,
        partition=OPEN,
    ),
    # audit consumer
    _counter(
        "tm_audit_events_total", AUDIT, "Changes ingested", outcome=("stored", "duplicate", "dead_lettered", "skipped")
    ),
    _histogram("tm_audit_delay_seconds", AUDIT, "Commit to stored", DELAY),
    _histogram("tm_audit_batch_changes", AUDIT, "Documents written at once", SIZES),
    _histogram("tm_audit_write_duration_seconds", AUDIT, "One write to MongoDB", LATENCY),
    _counter(
        "tm_dlq_records_total",
        AUDIT,
        "Records moved to the dead letter queue",
        reason=("malformed", "unsupported_schema", "unstorable"),
    ),
    _gauge("tm_dlq_depth", AUDIT, "Records that stand in the dead letter queue", "livemax"),
)
