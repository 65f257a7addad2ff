"""Writes the reference pages that the code is the source of: `python -m docs.reference`, or `make docs`."""

from collections.abc import Iterable
from pathlib import Path
from typing import Any

from pydantic.fields import FieldInfo
from pydantic_core import PydanticUndefined

from audit_consumer.settings import AuditSettings
from control_plane.settings import ControlPlaneSettings
from data_plane.settings import DataPlaneSettings
from shared.runtime.catalogue import CATALOGUE, OPEN, Metric, Service
from shared.runtime.settings import ServiceSettings

HERE = Path(__file__).parent

SETTINGS_PREFACE = """# Settings

Each service reads these environment variables when it starts, and says which one is wrong if one is. Written by
`make docs` from the code.
"""
METRICS_PREFACE = """# Metrics

What each service exports at `/metrics`. No label carries a tenant, a route or a subject. Written by `make docs` from
the code.
"""


def settings_page() -> str:
    """docs/settings.md: one table of what all services share, one for each service."""
    shared = ServiceSettings.model_fields
    parts = [SETTINGS_PREFACE, "## All three services\n", _settings_table(shared)]
    for name, settings in (
        ("control_plane", ControlPlaneSettings),
        ("data_plane", DataPlaneSettings),
        ("audit_consumer", AuditSettings),
    ):
        own = {field: info for field, info in settings.model_fields.items() if field not in shared}
        parts += [f"## {name}\n", _settings_table(own)]
    return "\n".join(parts)


def _settings_table(fields: dict[str, FieldInfo]) -> str:
    rows = ((f"`TM_{name.upper()}`", _default(info), info.description or "") for name, info in fields.items())
    return _table(("variable", "default", "meaning"), rows)


def _default(info: FieldInfo) -> str:
    if info.default_factory is not None:
        return "the host's name"
    if info.default is PydanticUndefined:
        return "required"
    return "none" if info.default in (None, ()) else f"`{_plain(info.default)}`"


def _plain(value: Any) -> str:
    return ",".join(map(str, value)) if isinstance(value, tuple) else str(value)


def metrics_page() -> str:
    """docs/metrics.md: the catalogue, by who exports what."""
    parts = [METRICS_PREFACE]
    shared = [metric for metric in CATALOGUE if len(metric.services) == len(Service)]
    parts += ["## All three services\n", _metrics_table(shared)]
    for service in Service:
        own = [metric for metric in CATALOGUE if service in metric.services and metric not in shared]
        parts += [f"## {service}\n", _metrics_table(own)]
    return "\n".join(parts)


def _metrics_table(metrics: Iterable[Metric]) -> str:
    rows = ((f"`{each.name}`", each.kind, _labels(each), each.help) for each in metrics)
    return _table(("metric", "type", "labels", "meaning"), rows)


def _labels(metric: Metric) -> str:
    return "; ".join(
        name if values == OPEN else f"{name}: {', '.join(values)}" for name, values in metric.labels.items()
    )


def _table(head: tuple[str, ...], rows: Iterable[tuple[str, ...]]) -> str:
    lines = [head, tuple("---" for _ in head), *rows]
    return "".join(f"| {' | '.join(cell.replace('|', chr(92) + '|') for cell in line)} |\n" for line in lines)


PAGES = {"settings.md": settings_page, "metrics.md": metrics_page}


def main() -> None:
    """Write every page."""
    for name, render in PAGES.items():
        (HERE / name).write_text(render())


if __name__ == "__main__":
    main()
