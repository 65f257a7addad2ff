"""Writes the reference pages that the code is the source of: `python -m docs.reference`, or `make docs`."""

from collections.abc import Iterable
from pathlib import Path
from typing import Any

from pydantic.fields import FieldInfo
from pydantic_core import PydanticUndefined

from audit_consumer.settings import AuditSettings
from control_plane.settings import ControlPlaneSettings
from data_plane.settings import DataPlaneSettings
from shared.runtime.access.permissions import PERMISSIONS, Permission, TenantScope
from shared.runtime.metric_catalogue import CATALOGUE, OPEN, Metric, Service
from shared.runtime.settings import ServiceSettings
from shared.schemas.access import Role

HERE = Path(__file__).parent

SETTINGS_PREFACE = """# Settings

Each service reads these environment variables when it starts, and says which one is wrong if one is. Written by
`make docs` from the code.
"""
METRICS_PREFACE = """# Metrics

What each service exports at `/metrics`. No label carries a tenant, a route or a subject. Written by `make docs` from
the code.
"""

ACCESS_PREFACE = """# Access

Every request but `/health/…`, `/metrics` and `/schema` carries `Authorization: Bearer …` with an access key or a JWT.

- **Keys** are made at `/api/v1/tenants/{tenant}/access-keys`, and an admin's at `/api/v1/access-keys`. The text
  `tm_<id>_<secret>` is shown once; only the SHA-256 of the secret is stored. `POST …/{id}/rotate` adds a secret; the one
  before stays good for `grace_seconds`, or until the next rotation; a key that has expired gets none. `DELETE …/{id}`
  revokes for good, everywhere, within two seconds. `python -m control_plane create-admin-key` prints the first key.
- **JWTs** are accepted when `TM_JWT_JWKS`, `TM_JWT_ISSUER` and `TM_JWT_AUDIENCE` are set. Claims name the subject, the
  role and, for all but admins, the tenant.
- Without a good credential the answer is 401; it is 503 while a service that has just started does not know all keys.
  What a role may not do on its own tenant is 403. Another tenant's things are answered exactly as things that do not
  exist.
- **Sent again** with the same `Idempotency-Key`, a POST makes no second key and no second secret. The recorded answer has
  everything but the text, which is stored nowhere: revoke or rotate a key whose text was lost on the way.
- **Kafka away:** what a service knows stays good. One that starts meanwhile takes the copy in `TM_KEY_SNAPSHOT_PATH`. If the
  topic was lost, `python -m control_plane republish-keys` sends every key again.
- `TM_ACCESS=off` lets everyone do everything. It is for a laptop.

An admin is the platform's. The other roles are bound to one tenant. Written by `make docs` from the code.
"""
_ABOUT = {
    TenantScope.PATH: "the tenant in the path",
    TenantScope.ANSWER: "own tenant's part of the answer",
    TenantScope.PLATFORM: "all",
}


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


def access_page() -> str:
    """docs/access.md: who may do what, by the table that the services decide by."""
    head = ("operation", "about", *Role)
    rows = ((f"`{name}`", _ABOUT[each.bound], *_may(each)) for name, each in PERMISSIONS.items())
    return f"{ACCESS_PREFACE}\n{_table(head, rows)}"


def _may(permission: Permission) -> list[str]:
    return ["yes" if role in permission.roles else "" for role in Role]


PAGES = {"settings.md": settings_page, "metrics.md": metrics_page, "access.md": access_page}


def main() -> None:
    """Write every page."""
    for name, render in PAGES.items():
        (HERE / name).write_text(render())


if __name__ == "__main__":
    main()
