"""Access keys as the platform keeps them: everything but the secrets themselves."""

from dataclasses import dataclass
from datetime import datetime

from shared.schemas.access import AccessRecord, LiveSecret, Role


@dataclass(frozen=True, slots=True)
class NewKey:
    """A key to be made, with the hash of its secret; `tenant` is None for the platform's own."""

    key_id: str
    sha256: str
    subject: str
    role: Role
    tenant: str | None
    created_by: str
    expires_at: datetime | None


@dataclass(frozen=True, slots=True)
class StoredKey:
    """A key as it stands. After a rotation the older secret is good until `older_until` (None: the next rotation)."""

    key_id: str
    version: int
    subject: str
    role: Role
    tenant: str | None
    sha256: str
    older_sha256: str | None
    older_until: datetime | None
    created_by: str
    created_at: datetime
    expires_at: datetime | None
    rotated_at: datetime | None
    revoked_at: datetime | None

    @property
    def record(self) -> AccessRecord:
        """What the services have to know to accept it."""
        newer = LiveSecret(sha256=self.sha256)
        older = LiveSecret(sha256=self.older_sha256, until=self.older_until) if self.older_sha256 else None
        return AccessRecord(
            key_id=self.key_id,
            version=self.version,
            subject=self.subject,
            role=self.role,
            tenant=self.tenant,
            expires_at=self.expires_at,
            secrets=(newer, older) if older else (newer,),
        )


@dataclass(frozen=True, slots=True)
class ChangedKeys:
    """Keys that changed, and when the database was asked (its clock)."""

    as_of: datetime
    keys: tuple[StoredKey, ...]
