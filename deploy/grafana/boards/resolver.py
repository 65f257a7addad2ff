"""The read path: rate, errors, latency, layers and ages."""

from deploy.grafana.boards.overview import BY_NAME, slo_stat
from deploy.grafana.panels import Board, gauge, graph, mean, quantile, rate, stat_panel

_ROUTE = 'route=~"/api/v1/resolve.*"'
_DURATION = "tm_http_request_duration_seconds"
_ANSWERS = rate("tm_resolutions_total")

BOARD = Board(
    "resolver",
    "Resolver",
    "The read path: rate, errors, latency, the layers that answer, and the age of answers.",
    [
        slo_stat(BY_NAME["resolve_availability"], 6),
        slo_stat(BY_NAME["resolve_latency"], 6),
        stat_panel(
            "Stale answers",
            "Share of answers from expired entries, because every source failed.",
            "percentunit",
            rate("tm_resolutions_total", 'result="stale"') + f" / ({_ANSWERS} > 0) or vector(0)",
            warn=0.001,
            bad=0.01,
            width=6,
            runbook="TrafficManagerServingStale",
        ),
        stat_panel(
            "Resolve p99",
            "The 99th percentile of all resolve requests.",
            "s",
            quantile(0.99, _DURATION, selector=_ROUTE),
            warn=0.01,
            bad=0.02,
            width=6,
        ),
        graph(
            "Results",
            "Resolved keys per second by result.",
            "reqps",
            (rate("tm_resolutions_total", by="result"), "{{result}}"),
        ),
        graph(
            "Layers",
            "Resolved keys per second by the layer that served them.",
            "reqps",
            (rate("tm_resolutions_total", by="layer"), "{{layer}}"),
        ),
        graph(
            "Status codes",
            "Resolve responses per second by status.",
            "reqps",
            (rate("tm_http_requests_total", _ROUTE, "code"), "{{code}}"),
            runbook="TrafficManagerResolveAvailabilityBudgetBurn",
        ),
        graph(
            "Latency",
            "Quantiles of resolve requests; exemplars lead to traces.",
            "s",
            *[(quantile(share, _DURATION, selector=_ROUTE), f"p{share * 100:g}") for share in (0.5, 0.99, 0.999)],
            runbook="TrafficManagerResolveLatencyBudgetBurn",
        ),
        graph(
            "Age of answers",
            "The 99th percentile of the time since the database was read, of one answer in a hundred.",
            "s",
            (quantile(0.99, "tm_answer_age_seconds", "kind"), "{{kind}}"),
        ),
        graph(
            "Cache lookups",
            "Lookups per second by layer and outcome.",
            "ops",
            (rate("tm_cache_lookups_total", by="layer, outcome"), "{{layer}} {{outcome}}"),
        ),
        graph(
            "Cache writes",
            "Writes per second by layer and outcome.",
            "ops",
            (rate("tm_cache_writes_total", by="layer, outcome"), "{{layer}} {{outcome}}"),
        ),
        graph(
            "Entries in L1",
            "Entries by kind.",
            "none",
            (gauge("sum", "tm_cache_entries", "kind"), "{{kind}}"),
            stacked=True,
        ),
        graph(
            "Memory of caches",
            "Estimated bytes of L1, of change logs, and of the tenant snapshots that watches send.",
            "bytes",
            (gauge("sum", "tm_cache_bytes"), "L1"),
            (gauge("sum", "tm_change_log_bytes"), "change logs"),
            (gauge("sum", "tm_watch_snapshot_bytes"), "tenant snapshots"),
        ),
        graph(
            "Evictions and loads",
            "Entries evicted from L1, and loads from Redis or a database by outcome, per second.",
            "ops",
            (rate("tm_cache_evictions_total"), "evicted"),
            (rate("tm_loads_total", by="outcome"), "{{outcome}}"),
        ),
        graph(
            "Keys per load batch",
            "Mean keys that share one round trip, by source.",
            "none",
            (mean("tm_load_batch_keys", "source"), "{{source}}"),
        ),
        graph(
            "Watches",
            "Open watches, and closed ones per second by reason.",
            "none",
            (gauge("sum", "tm_watch_clients"), "open"),
            (rate("tm_watch_closed_total", by="reason"), "closed: {{reason}}"),
        ),
        graph(
            "Snapshot age",
            "Time since the cache snapshot was written; the oldest instance.",
            "s",
            (gauge("max", "tm_snapshot_age_seconds"), "oldest"),
            runbook="TrafficManagerSnapshotOld",
            width=6,
        ),
        graph(
            "Snapshot size",
            "Size of the last snapshot; the largest.",
            "bytes",
            (gauge("max", "tm_snapshot_bytes"), "largest"),
            width=6,
        ),
        graph(
            "Snapshot failures",
            "Snapshots that were not written, or rejected when read, per second.",
            "ops",
            (rate("tm_snapshot_failures_total", by="op"), "{{op}}"),
            width=6,
        ),
        graph(
            "Warm starts",
            "Instances by the source of the keys that their warm-up loaded.",
            "none",
            (gauge("sum", "tm_warm_start_source_info", "source"), "{{source}}"),
            width=6,
        ),
    ],
)
