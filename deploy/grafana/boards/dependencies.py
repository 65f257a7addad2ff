"""Dependencies and runtime: breakers, pools, event loop, connections and telemetry."""

from deploy.grafana.panels import Board, gauge, graph, quantile, rate, stat_panel

BOARD = Board(
    "dependencies",
    "Dependencies and runtime",
    "Which dependency fails, and whether the processes have room.",
    [
        stat_panel(
            "Open breakers",
            "Dependencies to which a service rejects calls. Resolvers answer from caches meanwhile.",
            "none",
            f"count({gauge('max', 'tm_breaker_state', 'job, dependency')} == 2) or vector(0)",
            warn=1,
            bad=1,
            width=6,
            runbook="TrafficManagerBreakerOpen",
        ),
        stat_panel(
            "Dependencies down",
            "Dependencies whose last call failed, in any process.",
            "none",
            f"count({gauge('min', 'tm_dependency_up', 'job, dependency')} == 0) or vector(0)",
            warn=1,
            bad=1,
            width=6,
        ),
        stat_panel(
            "Event loop p99",
            "The 99th percentile of the event loop's lag, over all processes.",
            "s",
            quantile(0.99, "tm_event_loop_lag_seconds"),
            warn=0.05,
            bad=0.1,
            width=6,
            runbook="TrafficManagerEventLoopSlow",
        ),
        stat_panel(
            "Requests in flight",
            "Requests that wait for an answer now.",
            "none",
            gauge("sum", "tm_http_requests_in_flight"),
            width=6,
        ),
        graph(
            "Calls",
            "Calls per second, by dependency.",
            "ops",
            (rate("tm_dependency_requests_total", by="dependency"), "{{dependency}}"),
        ),
        graph(
            "Failed calls",
            "Calls per second that failed, took too long or were rejected, by dependency.",
            "ops",
            (
                rate("tm_dependency_requests_total", 'outcome=~"error|timeout|rejected"', "dependency")
                + " or "
                + rate("tm_dependency_requests_total", by="dependency")
                + " * 0",
                "{{dependency}}",
            ),
            runbook="TrafficManagerBreakerOpen",
        ),
        graph(
            "Duration of calls",
            "The 99th percentile, by dependency.",
            "s",
            (quantile(0.99, "tm_dependency_request_duration_seconds", "dependency"), "{{dependency}}"),
        ),
        graph(
            "Breakers",
            "0 closed, 1 half-open, 2 open; the worst process.",
            "none",
            (gauge("max", "tm_breaker_state", "dependency"), "{{dependency}}"),
            runbook="TrafficManagerBreakerOpen",
        ),
        graph(
            "Dependencies up",
            "1 when the last call of every process succeeded.",
            "none",
            (gauge("min", "tm_dependency_up", "dependency"), "{{dependency}}"),
        ),
        graph(
            "Pools: used connections",
            "Connections that a call uses.",
            "none",
            (gauge("sum", "tm_pool_connections", "dependency", 'state="used"'), "{{dependency}}"),
        ),
        graph(
            "Pools: waiting calls",
            "Calls that wait for a connection.",
            "none",
            (gauge("sum", "tm_pool_connections", "dependency", 'state="waiting"'), "{{dependency}}"),
        ),
        graph(
            "Event loop",
            "The 99th percentile of the lag, by service.",
            "s",
            (quantile(0.99, "tm_event_loop_lag_seconds", "job"), "{{job}}"),
            runbook="TrafficManagerEventLoopSlow",
        ),
        graph(
            "Open connections",
            "Connections to the HTTP port, idle ones included.",
            "none",
            (gauge("sum", "tm_http_connections_open", "job"), "{{job}}"),
        ),
        graph(
            "Log records",
            "Records per second, by level.",
            "cps",
            (rate("tm_log_records_total", by="level"), "{{level}}"),
        ),
        graph(
            "Dropped spans",
            "Spans per second that were not exported: the queue was full, or the collector failed.",
            "ops",
            (rate("tm_spans_dropped_total", by="job"), "{{job}}"),
        ),
        graph(
            "Series",
            "Series that a scrape returns; the largest instance of each service.",
            "none",
            (gauge("max", "scrape_samples_scraped", "job"), "{{job}}"),
            runbook="TrafficManagerCardinalityHigh",
        ),
    ],
)
