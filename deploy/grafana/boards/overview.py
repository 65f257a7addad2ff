"""Are users hurt, what fires, and what runs."""

from deploy.grafana.panels import NAMESPACE, Board, Panel, gauge, graph, rate, stat_panel
from deploy.prometheus.slos import SLOS, Slo

BY_NAME = {slo.name: slo for slo in SLOS}


def slo_stat(slo: Slo, width: int) -> Panel:
    """The share of good outcomes in the last 5 minutes, red below the objective's page limit."""
    return stat_panel(
        slo.title,
        f"Share over 5 minutes; the objective over 30 days is {slo.objective:.4g}. Good: {slo.good}.",
        "percentunit",
        f"1 - max(tm:{slo.name}:ratio_rate5m{{{NAMESPACE}}})",
        warn=slo.objective,
        bad=max(0.0, 1 - 14.4 * slo.budget),
        decimals=3,
        width=width,
        runbook=slo.alert,
    )


_FIRING = 'ALERTS{alertname=~"TrafficManager.*",alertstate="firing"'
_NONE = 'label_replace(vector(0), "alertname", "none", "", "")'

BOARD = Board(
    "overview",
    "Overview",
    "Whether callers are hurt, what is left of the error budgets, which alerts fire, and which versions run.",
    [
        *[slo_stat(slo, 3) for slo in SLOS],
        stat_panel(
            "Pages firing",
            "Alerts that wake somebody.",
            "none",
            f'count({_FIRING},severity="page"}}) or vector(0)',
            warn=1,
            bad=1,
            width=3,
        ),
        graph(
            "Error budget left",
            "What is left of the budget of 30 days: 1 is all, below 0 the objective is missed.",
            "percentunit",
            *[(f"min(tm:{slo.name}:budget_remaining30d{{{NAMESPACE}}})", slo.title) for slo in SLOS[:4]],
            width=12,
        ),
        graph(
            "Error budget left: freshness and audit",
            "As beside, for the objectives of the event path.",
            "percentunit",
            *[(f"min(tm:{slo.name}:budget_remaining30d{{{NAMESPACE}}})", slo.title) for slo in SLOS[4:]],
            width=12,
        ),
        graph(
            "Firing alerts",
            "Instances of each alert that fire now.",
            "none",
            (f"count by (alertname) ({_FIRING}}}) or {_NONE}", "{{alertname}}"),
            width=12,
        ),
        graph(
            "Burn rate over 1 h",
            "How many times too fast the budget burns; pages at 14.4.",
            "none",
            *[(f"max(tm:{slo.name}:ratio_rate1h{{{NAMESPACE}}}) / {slo.budget:g}", slo.title) for slo in SLOS],
            width=12,
        ),
        graph(
            "Requests", "Answers per second by service.", "reqps", (rate("tm_http_requests_total", by="job"), "{{job}}")
        ),
        graph(
            "Rejected requests",
            "Requests per second that were rejected, or cancelled at their deadline, to bound load.",
            "reqps",
            (rate("tm_http_requests_shed_total", by="reason"), "{{reason}}"),
            runbook="TrafficManagerSheddingLoad",
        ),
        graph(
            "Authentication",
            "Results per second.",
            "reqps",
            (rate("tm_auth_total", by="outcome"), "{{outcome}}"),
            runbook="TrafficManagerAuthFailuresHigh",
        ),
        graph(
            "Ready and draining instances",
            "Instances that should get traffic, and instances that are ending.",
            "none",
            (gauge("sum", "tm_ready", "job"), "{{job}} ready"),
            (gauge("sum", "tm_draining", "job"), "{{job}} draining"),
        ),
        graph(
            "Versions",
            "Instances by service, version and commit.",
            "none",
            (gauge("count", "tm_build_info", "job, version, revision"), "{{job}} {{version}}"),
            runbook="TrafficManagerVersionSkew",
        ),
        graph(
            "Access keys: age of knowledge",
            "How far each service is behind with changes of access keys, in its slowest process.",
            "s",
            (gauge("max", "tm_access_watermark_age_seconds", "job"), "{{job}}"),
        ),
        graph(
            "Access keys",
            "Keys that each service accepts.",
            "none",
            (gauge("max", "tm_access_keys", "job"), "{{job}}"),
            width=12,
        ),
        graph(
            "Log records",
            "Records per second by level; errors first.",
            "cps",
            (rate("tm_log_records_total", 'level=~"warning|error|critical"', "level"), "{{level}}"),
            width=12,
        ),
    ],
)
