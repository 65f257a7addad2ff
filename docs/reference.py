"""Writes the reference pages from the code: `python -m docs.reference`, or `make docs`."""

from collections.abc import Callable, Iterable, Mapping
from functools import partial
from pathlib import Path
from typing import Any

from pydantic.fields import FieldInfo
from pydantic_core import PydanticUndefined

from audit_consumer.settings import AuditSettings
from control_plane.settings import ControlPlaneSettings
from data_plane.settings import DataPlaneSettings
from deploy.prometheus import page as slos
from docs.events_page import events_page
from docs.record_kinds import RECORD_KINDS, RecordKind
from docs.record_schemas import dead_letter_schema, schema_of, schema_text
from docs.tables import table
from shared.runtime.access.permissions import PERMISSIONS, Permission, TenantScope
from shared.runtime.metric_catalogue import CATALOGUE, OPEN, Metric
from shared.runtime.service import Service
from shared.runtime.settings import ServiceSettings
from shared.schemas.access import Role

HERE = Path(__file__).parent

SETTINGS_PREFACE = """# Settings

Each service reads these environment variables at start and exits with a message that names every invalid one. `make docs`
writes this page from the code.
"""
METRICS_PREFACE = """# Metrics

The metrics that each service exports at `/metrics`. No label holds a tenant, a route or a subject. `make docs` writes this
page from the code.
"""

ACCESS_PREFACE = """# Access

Every request except `/health/…`, `/metrics` and `/schema` needs `Authorization: Bearer …` with an access key or a JWT.

- **Access keys** are created at `/api/v1/tenants/{tenant}/access-keys`, admins' keys at `/api/v1/access-keys`. The response
  contains the text `tm_<id>_<secret>` once; only the SHA-256 of the secret is stored. `POST …/{id}/rotate` adds a secret;
  the previous one is valid for `grace_seconds`, or until the next rotation. An expired key cannot be rotated.
  `DELETE …/{id}` revokes a key permanently, in all services within two seconds.
  `python -m control_plane create-admin-key` prints the first key.
- **JWTs** are accepted when `TM_JWT_JWKS`, `TM_JWT_ISSUER` and `TM_JWT_AUDIENCE` are set. Claims name the subject, the
  role and, except for admins, the tenant.
- **Status codes.** 401: no valid credential. 503: the service has just started and does not know all keys yet. 403: the role
  does not permit the operation on the caller's own tenant. Another tenant's resources get the same response as resources that
  do not exist.
- **Repeated requests.** A POST that is repeated with the same `Idempotency-Key` creates no second key and no second secret.
  The recorded response has everything but the text, which is not stored: if the first response was lost, revoke or rotate
  the key.
- **Last use.** The lists of keys show `last_used_at`: rounded down to ten minutes, and reported about five minutes later. Uses
  are lost while Kafka is down, so a key that shows none may still be in use.
- **Kafka down.** A running service keeps the keys that it has. A service that starts meanwhile loads the key snapshot in
  `TM_KEY_SNAPSHOT_PATH`.
- **Topic lost.** The control plane numbers the topic `access-keys` (its generation) and writes a completion record after it
  has read every valid key back from it. A service believes only a topic whose completion record has the newest generation
  that it knows, in memory or in its key snapshot. Until then it keeps its keys and its snapshot, applies what arrives, and,
  without any keys, is not ready: requests get a 503 and not a 401. `/health/ready` says so in the note `access`.
- **After Kafka lost its disk**, create the topics; nothing else is needed. The leading control plane sees that the topic lacks
  a completion record, sends every key again, and then writes the record with the next generation. It also reads the topic
  back every hour and corrects what differs from PostgreSQL: an old record of a revoked key is ended again.
  `python -m control_plane republish-keys` asks for the next generation at once. It is required after PostgreSQL was restored
  from a backup (the note `access_key_topic` of the control plane says so): only then are keys ended that the database does
  not have.
- `TM_ACCESS=off` permits every request. Use it for development only.

Admins belong to the platform; every other role is limited to one tenant. `make docs` writes this page from the code.
"""
_SCOPES = {
    TenantScope.PATH: "the tenant in the path",
    TenantScope.ANSWER: "the caller's tenant; the response is limited to it",
    TenantScope.PLATFORM: "all tenants",
}


SETTINGS: tuple[type[ServiceSettings], ...] = (ControlPlaneSettings, DataPlaneSettings, AuditSettings)


def settings_page() -> str:
    """docs/settings.md: one table of the settings that all services share, and one for each service."""
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
    return table(("variable", "default", "meaning"), rows)


def _default(info: FieldInfo) -> str:
    if info.default_factory is not None:
        return "the host's name"
    if info.default is PydanticUndefined:
        return "required"
    return "none" if info.default in (None, ()) else f"`{_plain(info.default)}`"


def _plain(value: Any) -> str:
    return ",".join(map(str, value)) if isinstance(value, tuple) else str(value)


def metrics_page() -> str:
    """docs/metrics.md: the metric catalogue, by service."""
    parts = [METRICS_PREFACE]
    shared = [metric for metric in CATALOGUE if len(metric.services) == len(Service)]
    parts += ["## All three services\n", _metrics_table(shared)]
    for service in Service:
        own = [metric for metric in CATALOGUE if service in metric.services and metric not in shared]
        parts += [f"## {service}\n", _metrics_table(own)]
    return "\n".join(parts)


def _metrics_table(metrics: Iterable[Metric]) -> str:
    rows = ((f"`{each.name}`", each.kind, _labels(each), each.help) for each in metrics)
    return table(("metric", "type", "labels", "meaning"), rows)


def _labels(metric: Metric) -> str:
    return "; ".join(
        name if values == OPEN else f"{name}: {', '.join(values)}" for name, values in metric.labels.items()
    )


def access_page() -> str:
    """docs/access.md: the permission table of the services."""
    head = ("operation", "scope", *Role)
    rows = ((f"`{name}`", _SCOPES[each.scope], *_may(each)) for name, each in PERMISSIONS.items())
    return f"{ACCESS_PREFACE}\n{table(head, rows)}"


def _may(permission: Permission) -> list[str]:
    return ["yes" if role in permission.roles else "" for role in Role]


def _schema_file(kind: RecordKind) -> str:
    return schema_text(schema_of(kind))


PAGES: Mapping[str, Callable[[], str]] = {
    "settings.md": settings_page,
    "metrics.md": metrics_page,
    "access.md": access_page,
    "slos.md": slos.page,
    "events.md": events_page,
    "events/dead-letter-headers.schema.json": lambda: schema_text(dead_letter_schema()),
    **{f"events/{each.name}.schema.json": partial(_schema_file, each) for each in RECORD_KINDS},
}


def main() -> None:
    """Writes every page."""
    for name, render in PAGES.items():
        path = HERE / name
        path.parent.mkdir(exist_ok=True)
        path.write_text(render())


if __name__ == "__main__":
    main()
