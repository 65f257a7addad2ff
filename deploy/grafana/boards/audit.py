"""The audit trail: delay, throughput and dead letters."""

from deploy.grafana.boards.overview import BY_NAME, slo_stat
from deploy.grafana.panels import Board, gauge, graph, mean, quantile, rate, stat_panel

_JOB = 'job="audit_consumer"'

BOARD = Board(
    "audit",
    "Audit",
    "Whether every change reaches the audit trail in time.",
    [
        slo_stat(BY_NAME["audit_in_time"], 6),
        stat_panel(
            "Audit delay p99",
            "The 99th percentile from commit to stored in MongoDB.",
            "s",
            quantile(0.99, "tm_audit_delay_seconds"),
            warn=10,
            bad=60,
            width=6,
        ),
        stat_panel(
            "Dead letters",
            "Records that the audit trail lacks until they are replayed.",
            "none",
            gauge("max", "tm_dlq_depth"),
            warn=1,
            bad=1,
            width=6,
            runbook="TrafficManagerDeadLetters",
        ),
        stat_panel(
            "Lag",
            "Age of the oldest record that is not stored.",
            "s",
            gauge("max", "tm_consumer_lag_seconds", selector=_JOB),
            warn=30,
            bad=60,
            width=6,
            runbook="TrafficManagerConsumerLagging",
        ),
        graph(
            "Changes",
            "Changes per second that were read from Kafka, by outcome.",
            "ops",
            (rate("tm_audit_events_total", by="outcome"), "{{outcome}}"),
        ),
        graph(
            "Delay",
            "Time from commit to stored in MongoDB.",
            "s",
            *[(quantile(share, "tm_audit_delay_seconds"), f"p{share * 100:g}") for share in (0.5, 0.99, 0.999)],
            runbook="TrafficManagerAuditInTimeBudgetBurn",
        ),
        graph(
            "Records to the dead letter queue",
            "Records per second, by reason.",
            "ops",
            (rate("tm_dlq_records_total", by="reason"), "{{reason}}"),
            runbook="TrafficManagerDeadLetters",
        ),
        graph("Documents per write", "Mean.", "none", (mean("tm_audit_batch_changes"), "documents")),
        graph(
            "Write duration",
            "Duration of a write to MongoDB.",
            "s",
            *[(quantile(share, "tm_audit_write_duration_seconds"), f"p{share * 100:g}") for share in (0.5, 0.99)],
        ),
        graph(
            "Lag by topic",
            "Records that are not processed.",
            "none",
            (gauge("sum", "tm_consumer_lag_records", "topic", _JOB), "{{topic}}"),
        ),
    ],
)
