"""Access keys as the platform stores them: the hash of each secret, and never the secret."""

from dataclasses import dataclass
from datetime import datetime

from shared.schemas.access import AccessRecord, LiveSecret, Role


@dataclass(frozen=True, slots=True)
class NewKey:
    """A key to create, with the SHA-256 hash of its secret. `tenant` is None for a key of the platform."""

    key_id: str
    sha256: str
    subject: str
    role: Role
    tenant: str | None
    created_by: str
    expires_at: datetime | None


@dataclass(frozen=True, slots=True)
class StoredKey:
    """A stored key. After a rotation the older secret is valid until `older_until` (None: until the next rotation).

    `last_used_at`: to ten minutes, and some minutes late; None when no use was reported.
    """

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
    last_used_at: datetime | None = None

    @property
    def record(self) -> AccessRecord:
        """The record with which the other services accept the key."""
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
            has_completion=True,
        )


@dataclass(frozen=True, slots=True)
class ChangedKeys:
    """The keys that changed, and the primary's time just before they were read."""

    read_at: datetime
    keys: tuple[StoredKey, ...]
