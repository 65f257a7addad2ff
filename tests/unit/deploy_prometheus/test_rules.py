"""The rules agree with the metric catalogue, and the generated files with the tables."""

import re
from pathlib import Path

import pytest
import yaml

from deploy.prometheus import files
from deploy.prometheus.__main__ import main
from deploy.prometheus.alerts import ALERTS
from deploy.prometheus.cases import CASES
from deploy.prometheus.rule import Alert, Scale
from deploy.prometheus.slos import BURN_PAIRS, SLOS, WINDOWS
from deploy.prometheus.targets import targets
from shared.runtime.metric_catalogue import CATALOGUE
from tests.support.kubernetes_manifests import named

_BY_NAME = {metric.name: metric for metric in CATALOGUE}
_MADE_BY_PROMETHEUS = {"up", "scrape_samples_scraped"}
_SUFFIX = re.compile(r"_(bucket|count|sum)$")

every_alert = pytest.mark.parametrize("alert", ALERTS, ids=lambda alert: f"{alert.name}-{alert.labels.get('long', '')}")


def test_generated_files_are_current() -> None:
    assert files.outdated(files.everything()) == [], "out of date: run `make rules`"


def test_every_alert_outside_the_burn_rates_has_a_case() -> None:
    named_in_table = {alert.name.removeprefix("TrafficManager") for alert in ALERTS if "slo" not in alert.labels}
    assert named_in_table == set(CASES)


@every_alert
def test_metrics_of_an_alert_are_in_the_catalogue(alert: Alert) -> None:
    assert set(alert.metrics) <= set(_BY_NAME) | _MADE_BY_PROMETHEUS


@every_alert
def test_an_alert_asks_for_the_metrics_that_it_names(alert: Alert) -> None:
    if "slo" in alert.labels:
        [slo] = [each for each in SLOS if each.name == alert.labels["slo"]]
        asked = slo.bad + slo.total
    else:
        asked = alert.expression
    asked = re.sub(r"\{[^}]*\}", "", asked)
    found = {_SUFFIX.sub("", name) for name in re.findall(r"\btm_\w+|\bup\b|\bscrape_\w+", asked)}
    assert found == set(alert.metrics)


def test_edges_of_the_objectives_are_edges_of_the_histograms() -> None:
    edges = [(slo.metrics[0], re.findall(r'le=~"([\d\\.]+)', slo.bad)) for slo in SLOS if "_bucket" in slo.bad]
    assert len(edges) == 5
    for metric, [edge] in edges:
        assert float(edge.replace("\\\\", "").rstrip("(")) in _BY_NAME[metric].buckets


@every_alert
def test_texts_name_only_labels_that_the_alert_has(alert: Alert) -> None:
    named_labels = set(re.findall(r"\$labels\.(\w+)", alert.summary + alert.description))
    grouped = {label.strip() for by in re.findall(r"by \(([^)]*)\)", alert.expression) for label in by.split(",")}
    assert named_labels <= grouped | {"instance", "job"}


def test_every_objective_has_a_burn_alert_for_each_pair_of_windows() -> None:
    pairs = {
        (alert.labels["slo"], alert.labels["long"], alert.labels["short"])
        for alert in ALERTS
        if alert.labels.get("slo")
    }
    assert pairs == {(slo.name, pair.long, pair.short) for slo in SLOS for pair in BURN_PAIRS}


def test_recorded_names_are_those_that_alerts_and_dashboards_ask_for() -> None:
    document = yaml.safe_load((files.REPOSITORY / "deploy/prometheus/rules/slos.yaml").read_text())
    recorded = {rule["record"] for group in document["groups"] for rule in group["rules"]}
    for slo in SLOS:
        assert {f"tm:{slo.name}:ratio_rate{window}" for window in WINDOWS} <= recorded
        assert f"tm:{slo.name}:budget_remaining30d" in recorded


def test_a_drill_divides_windows_and_the_patience_of_burn_alerts_alone() -> None:
    scale = Scale(60)
    assert scale.expression("sum_over_time(x[{1h}]) > rate(y[5m])") == "sum_over_time(x[60s]) > rate(y[5m])"
    assert scale.expression("rate(x[{5m}])") == "rate(x[5s])"
    by_name = {alert.name: alert.as_yaml(scale)["for"] for alert in ALERTS if alert.severity == "page"}
    assert by_name["TrafficManagerOutboxStuck"] == "1m"
    assert [alert.as_yaml(scale)["for"] for alert in ALERTS[:4]] == ["2s", "15s", "60s", "180s"]


def test_links_can_be_those_of_a_platform(tmp_path: Path) -> None:
    assert main(["--output", str(tmp_path), "--runbooks", "https://wiki.test/tm/", "--divide", "10"]) == 0
    text = (tmp_path / "alerts.yaml").read_text()
    assert "runbook_url: https://wiki.test/tm/TrafficManagerOutboxStuck.md\n" in text
    assert "dashboard_url: https://grafana.invalid/d/tm-control-plane\n" in text


def test_the_operator_gets_the_rules_of_the_files() -> None:
    groups = named("PrometheusRule", "traffic-manager")["spec"]["groups"]
    rules = [files.REPOSITORY / "deploy/prometheus/rules" / name for name in ("slos.yaml", "alerts.yaml")]
    assert groups == [group for rule in rules for group in yaml.safe_load(rule.read_text())["groups"]]


def test_local_addresses_become_targets_by_job() -> None:
    environment = {"TM_DATA_PLANE_URLS": "http://127.0.0.1:1,http://127.0.0.1:2", "TM_AUDIT_URL": "http://127.0.0.1:3"}
    assert targets(environment) == [
        {"targets": ["127.0.0.1:1", "127.0.0.1:2"], "labels": {"job": "data_plane"}},
        {"targets": ["127.0.0.1:3"], "labels": {"job": "audit_consumer"}},
    ]
