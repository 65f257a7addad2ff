"""The dashboards are current, complete and readable."""

import json
import re
from pathlib import Path

import pytest
import yaml

from deploy.grafana.__main__ import BOARDS, files
from deploy.grafana.panels import Board, Panel, build
from deploy.prometheus.alerts import ALERTS
from deploy.prometheus.slos import SLOS
from shared.runtime.metric_catalogue import CATALOGUE

ROOT = Path(__file__).parents[3]
_SUFFIX = re.compile(r"_(bucket|count|sum)$")

every_board = pytest.mark.parametrize("board", BOARDS, ids=lambda board: board.name)


def _asked_by(board: Board) -> set[str]:
    expressions = " ".join(expression for panel in board.panels for expression, _ in panel.queries)
    return {_SUFFIX.sub("", name) for name in re.findall(r"\btm_\w+", expressions)}


def _catalogue() -> set[str]:
    return {metric.name for metric in CATALOGUE}


def test_generated_files_are_current() -> None:
    assert [path.name for path, text in files().items() if path.read_text() != text] == [], "run `make dashboards`"


def test_every_metric_of_the_catalogue_is_in_a_panel_or_an_alert() -> None:
    used = {name for board in BOARDS for name in _asked_by(board)} | {
        name for alert in ALERTS for name in alert.metrics
    }
    assert _catalogue() - used == set(), "add a panel in deploy/grafana/boards"


@every_board
def test_every_metric_of_a_panel_is_in_the_catalogue(board: Board) -> None:
    assert _asked_by(board) - _catalogue() == set()


@every_board
def test_a_dashboard_has_at_most_20_panels_which_explain_themselves(board: Board) -> None:
    assert len(board.panels) <= 20
    for panel in board.panels:
        assert panel.title
        assert panel.description
        assert panel.unit


@every_board
def test_the_first_row_is_numbers(board: Board) -> None:
    first = [panel for panel in board.panels if panel.kind == "stat"]
    assert list(board.panels[: len(first)]) == first
    assert sum(panel.width for panel in first) == 24


@every_board
def test_runbooks_of_panels_are_those_of_alerts(board: Board) -> None:
    assert {panel.runbook for panel in board.panels if panel.runbook} <= {alert.name for alert in ALERTS}


def test_every_query_of_a_panel_is_written() -> None:
    overview = json.loads((ROOT / "deploy/grafana/overview.json").read_text())
    [burns] = [panel for panel in overview["panels"] if panel["title"].startswith("Burn rate")]
    assert len({target["refId"] for target in burns["targets"]}) == len(SLOS)


def test_a_row_that_does_not_fill_the_grid_is_refused() -> None:
    narrow = Panel("narrow", "A panel.", "none", [("up", "up")], width=8)
    with pytest.raises(ValueError, match="8 columns wide"):
        build(Board("name", "Title", "A dashboard.", [narrow]), [])


def test_provisioned_sources_are_those_that_links_name() -> None:
    file = ROOT / "deploy/grafana/provisioning/datasources/traffic-manager.yaml"
    assert {source["uid"] for source in yaml.safe_load(file.read_text())["datasources"]} == {"prometheus", "traces"}
