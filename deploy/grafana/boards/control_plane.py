"""The write path: changes, outbox and relay."""

from deploy.grafana.boards.overview import BY_NAME, slo_stat
from deploy.grafana.panels import Board, gauge, graph, mean, quantile, rate, stat_panel

_COMMIT = "tm_commit_duration_seconds"

BOARD = Board(
    "control-plane",
    "Control plane",
    "Whether teams can change routes, and whether changes leave the outbox.",
    [
        slo_stat(BY_NAME["write_availability"], 4),
        slo_stat(BY_NAME["write_latency"], 4),
        stat_panel(
            "Oldest unpublished change",
            "Resolvers answer without this change until it is published.",
            "s",
            gauge("max", "tm_outbox_oldest_unsent_seconds"),
            warn=5,
            bad=30,
            runbook="TrafficManagerOutboxStuck",
        ),
        stat_panel(
            "Relay leaders",
            "Processes that run the active relay; must be 1.",
            "none",
            gauge("sum", "tm_outbox_relay_leader"),
            runbook="TrafficManagerRelayLeaderCount",
        ),
        stat_panel(
            "Quarantined records",
            "Records that Kafka refused for good, until an operator retries or drops them.",
            "none",
            gauge("max", "tm_outbox_quarantined_records"),
            warn=1,
            bad=1,
            runbook="TrafficManagerOutboxRecordQuarantined",
        ),
        stat_panel(
            "Schema",
            "1 when the schema of PostgreSQL is the one that this release needs, or newer.",
            "none",
            gauge("min", "tm_schema_current"),
            warn=1,
            bad=0.5,
            runbook="TrafficManagerSchemaBehind",
        ),
        graph(
            "Changes by outcome",
            "Requested changes per second.",
            "ops",
            (rate("tm_changes_total", by="outcome"), "{{outcome}}"),
            runbook="TrafficManagerWriteAvailabilityBudgetBurn",
        ),
        graph(
            "Changes by action",
            "Requested changes per second.",
            "ops",
            (rate("tm_changes_total", by="action"), "{{action}}"),
        ),
        graph(
            "Commit duration",
            "Duration of a write transaction.",
            "s",
            *[(quantile(share, _COMMIT), f"p{share * 100:g}") for share in (0.5, 0.99)],
            runbook="TrafficManagerWriteLatencyBudgetBurn",
        ),
        graph("Changes per change set", "Mean.", "none", (mean("tm_change_set_changes"), "changes")),
        graph(
            "Unpublished events",
            "Committed events that are not published to Kafka yet.",
            "none",
            (gauge("max", "tm_outbox_unsent"), "events"),
        ),
        graph(
            "Publish delay",
            "The 99th percentile from commit to Kafka's acknowledgement, by topic.",
            "s",
            (quantile(0.99, "tm_outbox_publish_delay_seconds", "topic"), "{{topic}}"),
        ),
        graph(
            "Published events",
            "Events per second that Kafka acknowledged, by topic.",
            "ops",
            (rate("tm_outbox_published_total", by="topic"), "{{topic}}"),
        ),
        graph(
            "Publish failures",
            "Failed attempts per second, by reason.",
            "ops",
            (rate("tm_outbox_publish_failures_total", by="reason"), "{{reason}}"),
        ),
        graph(
            "Records moved to quarantine",
            "Records per second, by topic.",
            "ops",
            (rate("tm_outbox_quarantined_total", by="topic"), "{{topic}}"),
        ),
        graph(
            "Resolver processes",
            "Processes that report, and that stopped without withdrawing.",
            "none",
            (gauge("max", "tm_resolver_processes", "state"), "{{state}}"),
            width=6,
        ),
        graph(
            "Status reports",
            "Reports of resolver processes per second, by outcome.",
            "ops",
            (rate("tm_resolver_reports_total", by="outcome"), "{{outcome}}"),
            width=6,
        ),
        graph("Tenants", "Tenants in the database.", "none", (gauge("max", "tm_tenants"), "tenants"), width=6),
        graph(
            "Routes",
            "Routes of all tenants, by state.",
            "none",
            (gauge("max", "tm_routes", "state"), "{{state}}"),
            width=6,
            stacked=True,
        ),
    ],
)
