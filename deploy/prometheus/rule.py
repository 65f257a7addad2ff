"""What a rule is made of, before it is written as YAML."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

Severity = Literal["page", "ticket"]

RUNBOOKS = "https://traffic-manager.invalid/source/docs/runbooks"
DASHBOARDS = "https://grafana.invalid/d"
"""A platform replaces both hosts with its own: `python -m deploy.prometheus --runbooks URL --dashboards URL --output DIR`."""

_SECONDS = {"s": 1, "m": 60, "h": 3600, "d": 86400}
_MARKED = re.compile(r"\{(\d+[smhd])\}")


def seconds_of(duration: str) -> int:
    """The seconds of a duration of Prometheus with one unit, such as 5m."""
    return int(duration[:-1]) * _SECONDS[duration[-1]]


@dataclass(frozen=True, slots=True)
class Scale:
    """Divides the windows of burn rates and the patience of tickets, so that a drill of minutes stands for days."""

    divisor: int = 1

    def duration(self, text: str) -> str:
        """The duration, at least one second."""
        if self.divisor == 1:
            return text
        return f"{max(1, seconds_of(text) // self.divisor)}s"

    def expression(self, text: str) -> str:
        """The expression, with every window in braces divided. A rate needs two samples: at least 5 s."""
        return _MARKED.sub(lambda match: self._window(match[1]), text)

    def _window(self, text: str) -> str:
        return text if self.divisor == 1 else f"{max(5, seconds_of(text) // self.divisor)}s"


@dataclass(frozen=True, slots=True)
class Recording:
    """A recording rule. Windows in braces are divided in drills."""

    name: str
    expression: str

    def as_yaml(self, scale: Scale) -> dict[str, Any]:
        """The rule as Prometheus reads it."""
        return {"record": self.name, "expr": scale.expression(self.expression)}


@dataclass(frozen=True, slots=True)
class Alert:
    """An alerting rule. `scales`: its patience is divided in drills too."""

    name: str
    expression: str
    hold: str
    severity: Severity
    summary: str
    description: str
    dashboard: str
    metrics: tuple[str, ...]
    condition: str
    scales: bool = False
    labels: Mapping[str, str] = field(default_factory=dict)

    def annotations(self) -> dict[str, str]:
        """What a person who is woken reads first."""
        return {
            "summary": self.summary,
            "description": self.description,
            "runbook_url": f"{RUNBOOKS}/{self.name}.md",
            "dashboard_url": f"{DASHBOARDS}/tm-{self.dashboard}",
        }

    def as_yaml(self, scale: Scale) -> dict[str, Any]:
        """The rule as Prometheus reads it."""
        return {
            "alert": self.name,
            "expr": scale.expression(self.expression),
            "for": scale.duration(self.hold) if self.scales else self.hold,
            "labels": {"severity": self.severity, **self.labels},
            "annotations": self.annotations(),
        }
