"""The runbooks agree with the alerts, the metrics, the manifests and the page of failures."""

import re
import shutil
import subprocess
from pathlib import Path

import pytest

from deploy.prometheus.alerts import ALERTS
from deploy.prometheus.slos import SLOS
from shared.runtime.metric_catalogue import CATALOGUE
from tests.support.kubernetes_manifests import ROOT
from tests.support.runbooks import PAGES, RUNBOOKS, blocks

ALERT_PAGES = [each for each in PAGES if each.parent == RUNBOOKS and each.name != "README.md"]
NAMES = {alert.name for alert in ALERTS}
LABELS = {metric.name: set(metric.labels) | {"job", "instance", "namespace", "le"} for metric in CATALOGUE}
WORKLOADS = {"control-plane", "data-plane", "audit-consumer"}
SERVERS = ("PostgreSQL primary", "replica", "Redis", "Kafka", "MongoDB")
STATES = ("down", "frozen", "slow", "behind")


def test_every_alert_has_a_page_and_every_page_an_alert() -> None:
    assert {each.stem for each in ALERT_PAGES} == NAMES
    assert {slo.alert for slo in SLOS} <= NAMES


@pytest.mark.parametrize("page", ALERT_PAGES, ids=lambda page: page.stem)
def test_page_begins_with_the_answer_and_has_all_sections(page: Path) -> None:
    title, _, hurt, *_ = page.read_text().splitlines()
    assert title == f"# {page.stem}"
    assert re.match(r"\*\*Are users hurt\?\*\* \S", hurt)
    sections = re.findall(r"^## (\w+)$", page.read_text(), re.MULTILINE)
    assert sections == ["Meaning", "Impact", "Diagnosis", "Mitigation", "Aftercare"]
    assert blocks(page, "promql") or blocks(page, "sh cluster")


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_queries_select_metrics_and_labels_of_the_catalogue(page: Path) -> None:
    for query in blocks(page, "promql"):
        for name, selector in re.findall(r"\b(tm_[a-z0-9_]+)(?:\{([^}]*)\})?", query.replace('"tm_.+"', '""')):
            metric = re.sub(r"_(bucket|sum|count)$", "", name) if name not in LABELS else name
            assert metric in LABELS, name
            assert set(re.findall(r"([a-z_]+)(?:=~|!~|!=|=)\"", selector)) <= LABELS[metric]


@pytest.mark.skipif(shutil.which("promtool") is None, reason="needs promtool (Debian: apt-get install prometheus)")
def test_queries_are_promql(tmp_path: Path) -> None:
    queries = [query for page in PAGES for query in blocks(page, "promql")]
    rules = [
        f"      - record: runbook:{number}\n        expr: |-\n"
        + "".join(f"          {line}\n" for line in query.strip().splitlines())
        for number, query in enumerate(queries)
    ]
    path = tmp_path / "queries.yaml"
    path.write_text("groups:\n  - name: runbooks\n    rules:\n" + "".join(rules))
    command = ["promtool", "check", "rules", str(path)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)  # noqa: S603 - fixed arguments
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_commands_for_the_cluster_name_what_the_manifests_have(page: Path) -> None:
    targets = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    for block in blocks(page, "sh cluster"):
        for line in block.strip().splitlines():
            program, *words = line.split()
            assert program in ("kubectl", "make")
            if program == "make":
                assert words[0] in targets
                continue
            assert words[:2] == ["--namespace", "traffic-manager"] or words[:2] == ["label", "namespace"]
            named = re.findall(r"(?:deployment/|hpa |name=)([a-z-]+)", line)
            assert set(named) <= WORKLOADS


def test_page_of_failures_has_every_server_in_every_state_and_names_alerts() -> None:
    page = (ROOT / "docs" / "failures.md").read_text()
    rows = [tuple(cell.strip() for cell in line.split("|")[1:3]) for line in page.splitlines() if line.startswith("| ")]
    assert rows[1:] == [(server, state) for server in SERVERS for state in STATES]
    assert set(re.findall(r"`(TrafficManager\w+)`", page)) <= NAMES
