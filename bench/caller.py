"""The access key that drivers send, and how the servers they drive come to know it."""

from datetime import UTC, datetime
from pathlib import Path

from bench.seeded import TENANT
from shared.runtime.access.key_snapshot_file import KeySnapshot, KeySnapshotFile
from shared.runtime.access.tokens import AccessKey
from shared.schemas.access import AccessRecord, LiveSecret, Role


def record_of(key: AccessKey) -> AccessRecord:
    """What is known of the key: it is a resolver's, of the tenant whose routes are asked for."""
    secrets = (LiveSecret(sha256=key.sha256),)
    return AccessRecord(
        key_id=key.key_id, version=1, subject="bench", role=Role.RESOLVER, tenant=TENANT, secrets=secrets
    )


def save_copy(key: AccessKey, path: Path) -> None:
    """Write the copy that a service starts with where there is no Kafka."""
    KeySnapshotFile(path).save(KeySnapshot(as_of=datetime.now(UTC), records=(record_of(key),)))
