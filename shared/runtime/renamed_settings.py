"""Settings whose names have changed, so that an old name is refused instead of ignored."""

from collections.abc import Iterable

RENAMED_SETTINGS = {
    "TM_ACCESS_COPY": "TM_KEY_SNAPSHOT_PATH",
    "TM_HEADER_BYTES": "TM_MAX_HEADER_BYTES",
    "TM_HEADER_COUNT": "TM_MAX_HEADER_FIELDS",
    "TM_MAX_STALE_SECONDS": "TM_STALE_IF_ERROR_SECONDS",
    "TM_NEGATIVE_LIFE_SECONDS": "TM_NEGATIVE_TTL_SECONDS",
    "TM_POSITIVE_LIFE_SECONDS": "TM_POSITIVE_TTL_SECONDS",
    "TM_PROPAGATION_WAITS_AT_ONCE": "TM_MAX_CONCURRENT_PROPAGATION_WAITS",
    "TM_REQUESTS_AT_ONCE": "TM_MAX_CONCURRENT_REQUESTS",
    "TM_SELFCHECK_SECONDS": "TM_VERIFIER_INTERVAL_SECONDS",
    "TM_SENT_OUTBOX_RETENTION_HOURS": "TM_OUTBOX_RETENTION_HOURS",
    "TM_TENANT_ROUTES": "TM_TENANT_ROUTE_QUOTA",
    "TM_TENANT_WRITES_AT_ONCE": "TM_TENANT_MAX_CONCURRENT_WRITES",
    "TM_WATCH_HISTORY_CHANGES": "TM_CHANGE_LOG_CHANGES",
    "TM_WATCH_SLOW_SECONDS": "TM_WATCH_SEND_TIMEOUT_SECONDS",
    "TM_WRITE_DEADLINE_SECONDS": "TM_REQUEST_DEADLINE_SECONDS",
}
"""Old name to new name. Every service refuses to start under an old name, because it would otherwise be ignored."""


def renamed_settings(environment: Iterable[str]) -> list[tuple[str, str]]:
    """The old names among the variables of `environment`, each with its new name. Case is ignored, as for all settings."""
    names = {name.upper() for name in environment}
    return [(old, new) for old, new in RENAMED_SETTINGS.items() if old in names]
