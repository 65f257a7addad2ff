"""promtool's unit tests of the rules: for every alert a case that fires and a case that stays quiet."""

import re
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from deploy.prometheus.alerts import ALERTS
from deploy.prometheus.cases import CASES, Case, Series
from deploy.prometheus.rule import Alert, seconds_of
from deploy.prometheus.slos import BURN_PAIRS, SLOS, BurnPair, Slo, burn_alerts

_INTERVAL = "1m"
_VALUE = re.compile(r"\{\{ \$value(?: \| \w+)? \}\}")


def files() -> dict[Path, dict[str, Any]]:
    """The test files by name. Cases share a test, and so its storage, since each test takes a second to set up."""
    return {
        Path("alerts.yaml"): _file("alerts.yaml", _state_tests()),
        Path("burn-rates.yaml"): _file("alerts.yaml", [test for pair in BURN_PAIRS for test in _pair_tests(pair)]),
        Path("slos.yaml"): _file("slos.yaml", _recording_tests()),
    }


def _file(rules: str, tests: list[dict[str, Any]]) -> dict[str, Any]:
    return {"rule_files": [f"../rules/{rules}"], "evaluation_interval": _INTERVAL, "tests": tests}


def _state_tests() -> list[dict[str, Any]]:
    """Every alert fires in the first test, not before its patience is over; none does in the second."""
    cases = [(alert, CASES[alert.name.removeprefix("TrafficManager")]) for alert in ALERTS if "slo" not in alert.labels]
    firing = [_asked(alert, _settled(alert), [_expected(alert, case)]) for alert, case in cases]
    waiting = [_asked(alert, seconds_of(alert.hold) // 2, []) for alert, case in cases if case.waits]
    quiet = [_asked(alert, _settled(alert), []) for alert, _ in cases]
    return [
        {**_inputs(_all(case.fires for _, case in cases)), "alert_rule_test": [*waiting, *firing]},
        {**_inputs(_all(case.quiet for _, case in cases)), "alert_rule_test": quiet},
    ]


def _all(groups: Iterable[list[Series]]) -> list[Series]:
    return [series for group in groups for series in group]


def _settled(alert: Alert) -> int:
    return seconds_of(alert.hold) + 900


def _pair_tests(pair: BurnPair) -> list[dict[str, Any]]:
    """Every SLO's alert fires when both windows burn, and stays quiet when the short window is just below the limit."""
    at = seconds_of(pair.hold) + 120
    burning = {slo: burn_alerts(slo)[BURN_PAIRS.index(pair)] for slo in SLOS}
    fires = [_asked(alert, at, [_expected(alert, Case([], []))]) for alert in burning.values()]
    waiting = [_asked(alert, seconds_of(pair.hold) // 2, []) for alert in burning.values()]
    quiet = [_asked(alert, at, []) for alert in burning.values()]
    return [
        {**_inputs(_all(_ratios(slo, pair, 1.01) for slo in SLOS)), "alert_rule_test": [*waiting, *fires]},
        {**_inputs(_all(_ratios(slo, pair, 0.99) for slo in SLOS)), "alert_rule_test": quiet},
    ]


def _ratios(slo: Slo, pair: BurnPair, short_burn: float) -> list[Series]:
    """The ratios of both windows: the long one above the limit, the short one at `short_burn` times the limit."""
    limit, minutes = pair.factor * slo.budget, seconds_of(pair.hold) // 60 + 3
    return [
        (f"tm:{slo.name}:ratio_rate{pair.long}", f"{limit * 1.01:.6g}x{minutes}"),
        (f"tm:{slo.name}:ratio_rate{pair.short}", f"{limit * short_burn:.6g}x{minutes}"),
    ]


def _expected(alert: Alert, case: Case) -> dict[str, Any]:
    """The alert with its labels, and its annotations as Prometheus renders them."""
    texts = {key: _rendered(text, case) for key, text in alert.annotations().items()}
    return {"exp_labels": {"severity": alert.severity, **alert.labels, **case.labels}, "exp_annotations": texts}


def _rendered(text: str, case: Case) -> str:
    for label, value in case.labels.items():
        text = text.replace(f"{{{{ $labels.{label} }}}}", value)
    return _VALUE.sub(lambda match: case.value if "|" in match[0] else case.raw_value or case.value, text)


def _asked(alert: Alert, at_seconds: int, expected: list[dict[str, Any]]) -> dict[str, Any]:
    return {"alertname": alert.name, "eval_time": f"{at_seconds}s", "exp_alerts": expected}


_TRAFFIC = 'tm_http_requests_total{job="data_plane",route="/api/v1/resolve/{tenant}",method="GET",code="%s"}'
_DELAYS = 'tm_propagation_seconds_%s{job="data_plane"%s}'


def _recording_tests() -> list[dict[str, Any]]:
    name = "tm:resolve_availability"
    tenth = [(_TRAFFIC % "200", "0+54x90"), (_TRAFFIC % "503", "0+6x90")]
    # Half of 10 requests a minute fail, then none of 1000: the average of the ratios would be far above the true ratio.
    uneven = [(_TRAFFIC % "200", "0+5x30 1150+1000x60"), (_TRAFFIC % "503", "0+5x30 150+0x60")]
    slow = [
        (_DELAYS % ("count", ""), "0+100x90"),
        (_DELAYS % ("bucket", ',le="2.0"'), "0+90x90"),
        (_DELAYS % ("bucket", ',le="60.0"'), "0+100x90"),
    ]
    return [
        _recorded(tenth, 60, {f"{name}:ratio_rate5m": 0.1, f"{name}:ratio_rate1h": 0.1}),
        _recorded([(_TRAFFIC % "200", "0+60x90")], 60, {f"{name}:ratio_rate5m": 0, f"{name}:budget_remaining30d": 1}),
        _recorded([(_TRAFFIC % "200", "7x90")], 60, {f"{name}:ratio_rate5m": 0, f"{name}:ratio_rate3d": 0}),
        _recorded(slow, 60, {"tm:freshness_2s:ratio_rate5m": 0.1, "tm:freshness_60s:ratio_rate5m": 0}),
        {
            **_inputs(uneven),
            "promql_expr_test": [
                {"expr": f"{name}:ratio_rate2h < bool 0.01", "eval_time": "90m", "exp_samples": [_sample("", 1)]}
            ],
        },
    ]


def _recorded(series: list[Series], minutes: int, values: dict[str, float]) -> dict[str, Any]:
    expected = [
        # Rounded, since sums of rates differ in their last digits.
        {"expr": f"round({name}, 1e-6)", "eval_time": f"{minutes}m", "exp_samples": [_sample("{}", value)]}
        for name, value in values.items()
    ]
    return {**_inputs(series), "promql_expr_test": expected}


def _sample(labels: str, value: float) -> dict[str, Any]:
    return {"labels": labels or "{}", "value": value}


def _inputs(series: list[Series]) -> dict[str, Any]:
    return {
        "interval": _INTERVAL,
        "input_series": [{"series": name, "values": values} for name, values in series],
    }
