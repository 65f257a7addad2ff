"""docs/slos.md: the objectives, their burn alerts, and every other alert."""

from collections.abc import Sequence

from deploy.prometheus.alerts import ALERTS
from deploy.prometheus.slos import BURN_PAIRS, SLOS

PREFACE = """# Service level objectives and alerts

An objective is a share of good outcomes over 30 days; the rest is its error budget. `deploy/prometheus/slos.py` and
`deploy/prometheus/alerts.py` are the source: `make rules` writes the rules, their unit tests and the operator's
PrometheusRule, and `make docs` this page.

- `tm:<slo>:ratio_rate<window>` is the share of bad outcomes, a ratio of sums; without traffic it is 0.
- `tm:<slo>:budget_remaining30d` is what is left of the budget: 1 is all, below 0 the objective is missed.
- An SLO with little traffic burns fast: one failure of ten requests is 10 %. Look at the request rate first.
- `deploy/prometheus/alertmanager.yaml` has the inhibitions: a cause that fires silences its consequences.
- `python -m deploy.prometheus --output DIR --runbooks URL --dashboards URL` writes the rules with your own links, and
  `--divide N` with windows and patience of burn rates and tickets N times shorter, for drills.
"""
_BURN = """A burn alert fires when the budget burns this many times too fast over a long and a short window: the long one shows
that it matters, the short one that it goes on (Site Reliability Workbook, chapter 5, table 5-8).
"""


def page() -> str:
    """The text of docs/slos.md."""
    slos = [(each.title, each.good, f"{each.objective:.2%}", f"`{each.alert}`") for each in SLOS]
    pairs = [(f"{each.factor:g}", each.long, each.short, each.hold, each.severity) for each in BURN_PAIRS]
    others = [
        (f"`{each.name}`", each.condition, each.hold, each.severity) for each in ALERTS if "slo" not in each.labels
    ]
    return "\n".join(
        [
            PREFACE,
            "## Objectives\n",
            _table(("objective", "good outcomes", "over 30 days", "burn alert"), slos),
            f"## Burn rates\n\n{_BURN}",
            _table(("times too fast", "long window", "short window", "for", "severity"), pairs),
            "## Other alerts\n",
            _table(("alert", "condition", "for", "severity"), others),
        ]
    )


def _table(head: tuple[str, ...], rows: Sequence[tuple[str, ...]]) -> str:
    lines = [head, tuple("---" for _ in head), *rows]
    return "".join(f"| {' | '.join(cell.replace('|', chr(92) + '|') for cell in line)} |\n" for line in lines)
