"""The JSON of access keys."""

from datetime import datetime
from typing import Annotated, Literal

import msgspec

from control_plane.domain.access_keys import StoredKey
from shared.schemas.access import SUBJECT_RULE, Role, Subject
from shared.schemas.events import UtcTime

_Subject = Annotated[Subject, msgspec.Meta(description=f"Who uses the key: {SUBJECT_RULE}.", examples=["ci-bot"])]
_Expiry = Annotated[UtcTime, msgspec.Meta(description="When the key ends by itself; RFC 3339 with an offset.")]
MAX_GRACE_SECONDS = 30 * 24 * 3600


class NewTenantKey(msgspec.Struct, frozen=True, kw_only=True):
    """A key for one tenant."""

    subject: _Subject
    role: Literal["editor", "viewer", "resolver"]
    expires_at: _Expiry | None = None


class NewPlatformKey(msgspec.Struct, frozen=True, kw_only=True):
    """A key of the platform: an admin's."""

    subject: _Subject
    expires_at: _Expiry | None = None


class Rotation(msgspec.Struct, frozen=True, kw_only=True):
    """How long the secret before the new one stays good."""

    grace_seconds: (
        Annotated[
            int,
            msgspec.Meta(
                ge=0,
                le=MAX_GRACE_SECONDS,
                description="Seconds; without it, the secret before stays good until the next rotation.",
            ),
        ]
        | None
    ) = None


class KeyBody(msgspec.Struct, frozen=True, kw_only=True):
    """A key, without its secret. `older_secret_ends_at` is of the one before the last rotation."""

    key_id: str
    subject: str
    role: Role
    tenant: str | None
    created_by: str
    created_at: datetime
    expires_at: datetime | None
    rotated_at: datetime | None
    older_secret_ends_at: datetime | None
    revoked_at: datetime | None

    @classmethod
    def of(cls, key: StoredKey) -> "KeyBody":
        return cls(
            key_id=key.key_id,
            subject=key.subject,
            role=key.role,
            tenant=key.tenant,
            created_by=key.created_by,
            created_at=key.created_at,
            expires_at=key.expires_at,
            rotated_at=key.rotated_at,
            older_secret_ends_at=key.older_until,
            revoked_at=key.revoked_at,
        )


class SecretBody(msgspec.Struct, frozen=True, kw_only=True):
    """A new secret. `key` goes behind `Authorization: Bearer`; it is shown once.

    It is stored nowhere, so that it is null in an answer that is given again for an `Idempotency-Key`.
    """

    key: str | None
    access_key: KeyBody


class KeyPage(msgspec.Struct, frozen=True, kw_only=True):
    """Keys by id. `next_cursor` asks for those that follow; null when there are none."""

    access_keys: list[KeyBody]
    next_cursor: str | None
