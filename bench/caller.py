"""The access key of the load generators, and how the measured servers get it."""

from datetime import UTC, datetime
from pathlib import Path

from bench.seeded import TENANT
from shared.runtime.access.key_snapshot_file import KeySnapshot, KeySnapshotFile
from shared.runtime.access.tokens import AccessKey
from shared.schemas.access import AccessRecord, LiveSecret, Role


def record_of(key: AccessKey) -> AccessRecord:
    """The record of the key: role resolver, for the tenant of the seeded routes."""
    secrets = (LiveSecret(sha256=key.sha256),)
    return AccessRecord(
        key_id=key.key_id, version=1, subject="bench", role=Role.RESOLVER, tenant=TENANT, secrets=secrets
    )


def save_copy(key: AccessKey, path: Path) -> None:
    """Write the key snapshot that a service starts with if there is no Kafka."""
    KeySnapshotFile(path).save(KeySnapshot(as_of=datetime.now(UTC), records=(record_of(key),)))
