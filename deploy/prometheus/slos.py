"""The service level objectives, and the recording rules and burn alerts that follow from them."""

from dataclasses import dataclass

from deploy.prometheus.rule import Alert, Recording, Severity

SHORTEST = "5m"
WINDOWS = ("5m", "30m", "1h", "2h", "6h", "1d", "3d")
BUDGET_WINDOW = "30d"
LONG_WINDOWS = ("6h", "1d", "3d")
"""Recorded in a group of their own, which is evaluated less often."""

_RESOLVES = 'job="data_plane",route=~"/api/v1/resolve.*"'
_SINGLE_RESOLVES = 'job="data_plane",route=~"/api/v1/resolve/.+"'
_WRITES = 'job="control_plane",route=~"/api/v1/.*",method=~"PUT|POST|DELETE"'
_WRITTEN_ROUTES = 'job="control_plane",route=~"/api/v1/.*"'


@dataclass(frozen=True, slots=True)
class Slo:
    """One objective over 30 days. `bad` and `total` are rates; `{window}` stands for the window of the rate."""

    name: str
    title: str
    good: str
    objective: float
    bad: str
    total: str
    dashboard: str
    metrics: tuple[str, ...]

    @property
    def budget(self) -> float:
        """The share of bad outcomes that the objective allows."""
        return round(1 - self.objective, 9)

    @property
    def alert(self) -> str:
        """The name of its burn alerts."""
        return f"TrafficManager{''.join(part.capitalize() for part in self.name.split('_'))}BudgetBurn"


def _requests(selector: str) -> tuple[str, str]:
    total = f"sum by (namespace) (rate(tm_http_requests_total{{{selector}}}[{{window}}]))"
    errors = f'sum by (namespace) (rate(tm_http_requests_total{{{selector},code=~"5.."}}[{{window}}]))'
    return f"{errors} or {total} * 0", total


def _slower(histogram: str, edge: str, selector: str) -> tuple[str, str]:
    """The rates of observations above a bucket's edge and of all. `2` and `2.0` are one edge to two versions of Prometheus."""
    total = f"sum by (namespace) (rate({histogram}_count{{{selector}}}[{{window}}]))"
    fast = f'sum by (namespace) (rate({histogram}_bucket{{{selector},le=~"{edge}"}}[{{window}}]))'
    return f"{total} - {fast}", total


def _slo(
    name: str, title: str, good: str, objective: float, rates: tuple[str, str], dashboard: str, *metrics: str
) -> Slo:
    return Slo(name, title, good, objective, *rates, dashboard, metrics)


_DURATION = "tm_http_request_duration_seconds"

SLOS: tuple[Slo, ...] = (
    _slo(
        "resolve_availability",
        "Resolve availability",
        "resolve responses that are not 5xx; a 404 and a stale answer are good",
        0.9999,
        _requests(_RESOLVES),
        "resolver",
        "tm_http_requests_total",
    ),
    _slo(
        "resolve_latency",
        "Resolve latency",
        "resolve responses of one route within 20 ms",
        0.999,
        _slower(_DURATION, "0\\\\.02", _SINGLE_RESOLVES),
        "resolver",
        _DURATION,
    ),
    _slo(
        "write_availability",
        "Write availability",
        "responses of the control API to PUT, POST and DELETE that are not 5xx",
        0.999,
        _requests(_WRITES),
        "control-plane",
        "tm_http_requests_total",
    ),
    _slo(
        "write_latency",
        "Write latency",
        "responses of the control API within 2 s; the histogram has no method, so reads count too",
        0.99,
        _slower(_DURATION, "2(\\\\.0)?", _WRITTEN_ROUTES),
        "control-plane",
        _DURATION,
    ),
    _slo(
        "freshness_2s",
        "Freshness within 2 s",
        "changes applied in a resolver process within 2 s of their commit",
        0.99,
        _slower("tm_propagation_seconds", "2(\\\\.0)?", 'job="data_plane"'),
        "freshness",
        "tm_propagation_seconds",
    ),
    _slo(
        "freshness_60s",
        "Freshness within 60 s",
        "changes applied in a resolver process within 60 s of their commit",
        0.9999,
        _slower("tm_propagation_seconds", "60(\\\\.0)?", 'job="data_plane"'),
        "freshness",
        "tm_propagation_seconds",
    ),
    _slo(
        "audit_in_time",
        "Audit in time",
        "changes stored in the audit trail within 60 s of their commit",
        0.999,
        _slower("tm_audit_delay_seconds", "60(\\\\.0)?", 'job="audit_consumer"'),
        "audit",
        "tm_audit_delay_seconds",
    ),
)


@dataclass(frozen=True, slots=True)
class BurnPair:
    """A burn rate that must hold over a long and a short window (the SRE workbook, chapter 5, table 5-8)."""

    factor: float
    long: str
    short: str
    hold: str
    severity: Severity


BURN_PAIRS = (
    BurnPair(14.4, "1h", "5m", "2m", "page"),
    BurnPair(6, "6h", "30m", "15m", "page"),
    BurnPair(3, "1d", "2h", "1h", "ticket"),
    BurnPair(1, "3d", "6h", "3h", "ticket"),
)


def recordings(slo: Slo, windows: tuple[str, ...]) -> list[Recording]:
    """The ratio of bad outcomes over each window. Without traffic it is 0: no outcome was bad."""
    return [Recording(f"tm:{slo.name}:ratio_rate{window}", _ratio(slo, window)) for window in windows]


def rates(slo: Slo) -> list[Recording]:
    """The rates that every longer window sums, so that no query reads raw series over days."""
    return [
        Recording(f"tm:{slo.name}:bad_rate{SHORTEST}", slo.bad.replace("{window}", f"{{{SHORTEST}}}")),
        Recording(f"tm:{slo.name}:total_rate{SHORTEST}", slo.total.replace("{window}", f"{{{SHORTEST}}}")),
    ]


def budget(slo: Slo) -> Recording:
    """What is left of the error budget of 30 days: 1 is all, 0 none, below 0 the objective is missed."""
    return Recording(
        f"tm:{slo.name}:budget_remaining{BUDGET_WINDOW}", f"1 - ({_ratio(slo, BUDGET_WINDOW)}) / {slo.budget:g}"
    )


def _ratio(slo: Slo, window: str) -> str:
    bad, total = f"tm:{slo.name}:bad_rate{SHORTEST}", f"tm:{slo.name}:total_rate{SHORTEST}"
    if window != SHORTEST:
        # A ratio of sums: an average of ratios would weigh a quiet minute like a busy one.
        bad, total = f"sum_over_time({bad}[{{{window}}}])", f"sum_over_time({total}[{{{window}}}])"
    return f"{bad} / ({total} > 0) or {total} * 0"


def burn_alerts(slo: Slo) -> list[Alert]:
    """One alert for each pair of windows, all of one name."""
    return [_burn_alert(slo, pair) for pair in BURN_PAIRS]


def _burn_alert(slo: Slo, pair: BurnPair) -> Alert:
    limit = f"{pair.factor * slo.budget:.6g}"
    return Alert(
        name=slo.alert,
        expression=f"tm:{slo.name}:ratio_rate{pair.long} > {limit} and tm:{slo.name}:ratio_rate{pair.short} > {limit}",
        hold=pair.hold,
        scales=True,
        severity=pair.severity,
        labels={"slo": slo.name, "long": pair.long, "short": pair.short},
        summary=f"{slo.title}: the error budget burns {pair.factor:g} times too fast",
        description=(
            f"More than {pair.factor * slo.budget:.4%} were bad over {pair.long} and over {pair.short}; "
            f"{slo.budget:.4%} are allowed over {BUDGET_WINDOW}. Good: {slo.good}."
        ),
        dashboard=slo.dashboard,
        metrics=slo.metrics,
        condition=f"{pair.factor:g}x budget over {pair.long} and {pair.short}",
    )
