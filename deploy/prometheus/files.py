"""The generated files: rules for Prometheus, their unit tests, and the same rules for the operator."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml

from deploy.prometheus import rule, unit_tests
from deploy.prometheus.alerts import ALERTS
from deploy.prometheus.rule import Scale
from deploy.prometheus.slos import LONG_WINDOWS, SLOS, WINDOWS, budget, rates, recordings

REPOSITORY = Path(__file__).resolve().parents[2]
_RULES = Path("deploy/prometheus/rules")
_TESTS = Path("deploy/prometheus/tests")
_OPERATOR = Path("deploy/k8s/components/monitoring/prometheus-rule.yaml")
_PREFACE = "# Generated from deploy/prometheus/{source} by `make rules`.\n"

Files = dict[Path, str]


class _Dumper(yaml.CSafeDumper):
    """Writes every list item on lines of its own and no aliases."""

    def ignore_aliases(self, data: Any) -> bool:
        return True


def everything() -> Files:
    """Every generated file by its path in the repository."""
    found = {_RULES / path: text for path, text in rules(1, {}).items()}
    found[_OPERATOR] = _operator()
    found |= {_TESTS / path: _text(tests, "unit_tests.py") for path, tests in unit_tests.files().items()}
    return found


def rules(divisor: int, links: Mapping[str, str]) -> Files:
    """The rule files. `links` may replace the base URLs of `runbooks` and `dashboards`."""
    scale = Scale(divisor)
    slo_groups, alert_groups = _slo_groups(scale), _alert_groups(scale)
    for group in alert_groups:
        for each in group["rules"]:
            _relink(each["annotations"], links)
    return {
        Path("slos.yaml"): _text({"groups": slo_groups}, "slos.py"),
        Path("alerts.yaml"): _text({"groups": alert_groups}, "alerts.py"),
    }


def _relink(annotations: dict[str, str], links: Mapping[str, str]) -> None:
    for key, base in (("runbooks", rule.RUNBOOKS), ("dashboards", rule.DASHBOARDS)):
        if key in links:
            name = f"{key.removesuffix('s')}_url"
            annotations[name] = annotations[name].replace(base, links[key].rstrip("/"), 1)


def _slo_groups(scale: Scale) -> list[dict[str, Any]]:
    short = tuple(window for window in WINDOWS if window not in LONG_WINDOWS)
    groups = []
    for slo in SLOS:
        frequent = [*rates(slo), *recordings(slo, short)]
        seldom = [*recordings(slo, LONG_WINDOWS), budget(slo)]
        groups.append(_group(f"tm-{slo.name}", "30s", frequent, scale))
        groups.append(_group(f"tm-{slo.name}-long", "1m", seldom, scale))
    return groups


def _alert_groups(scale: Scale) -> list[dict[str, Any]]:
    burns = [alert for alert in ALERTS if "slo" in alert.labels]
    others = [alert for alert in ALERTS if "slo" not in alert.labels]
    return [_group("tm-burn-rates", "30s", burns, scale), _group("tm-states", "15s", others, scale)]


def _group(name: str, interval: str, members: list[Any], scale: Scale) -> dict[str, Any]:
    pace = interval if scale.divisor == 1 else "1s"
    return {"name": name, "interval": pace, "rules": [member.as_yaml(scale) for member in members]}


def _operator() -> str:
    scale = Scale()
    return _text(
        {
            "apiVersion": "monitoring.coreos.com/v1",
            "kind": "PrometheusRule",
            "metadata": {"name": "traffic-manager"},
            "spec": {"groups": [*_slo_groups(scale), *_alert_groups(scale)]},
        },
        "{slos,alerts}.py",
    )


def _text(document: Any, source: str) -> str:
    body = yaml.dump(document, Dumper=_Dumper, sort_keys=False, width=1000, allow_unicode=True)
    return _PREFACE.format(source=source) + body


def write(files: Files, folder: Path) -> None:
    """Write the files below the folder."""
    for path, text in files.items():
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).write_text(text)


def outdated(files: Files) -> list[Path]:
    """The files of the repository that differ from these, or are missing."""
    return [path for path, text in files.items() if not _is(REPOSITORY / path, text)]


def _is(path: Path, text: str) -> bool:
    return path.exists() and path.read_text() == text
