"""The JSON of access keys, the query parameters of their list, and the responses that carry a secret."""

from datetime import UTC, datetime
from typing import Annotated, Literal

import msgspec
from litestar import Response

from control_plane.domain.access_keys import StoredKey
from control_plane.domain.requests import RecordedResponse
from control_plane.http.common.request_fields import PageQuery
from shared.runtime.access.tokens import AccessKey
from shared.schemas.access import SUBJECT_RULE, Role, Subject
from shared.schemas.events import UtcTime

_Subject = Annotated[
    Subject, msgspec.Meta(description=f"The person or program that uses the key: {SUBJECT_RULE}.", examples=["ci-bot"])
]
_Expiry = Annotated[UtcTime, msgspec.Meta(description="When the key expires; RFC 3339 with an offset.")]
MAX_GRACE_SECONDS = 30 * 24 * 3600
_NOT_CACHED = {"Cache-Control": "no-store"}


class KeyQuery(PageQuery, frozen=True, kw_only=True):
    """The query parameters of the list of access keys."""


class NewTenantKey(msgspec.Struct, frozen=True, kw_only=True):
    """An access key of a tenant."""

    subject: _Subject
    role: Literal["editor", "viewer", "resolver"]
    expires_at: _Expiry | None = None


class NewPlatformKey(msgspec.Struct, frozen=True, kw_only=True):
    """An access key of the platform, with the role admin."""

    subject: _Subject
    expires_at: _Expiry | None = None


class Rotation(msgspec.Struct, frozen=True, kw_only=True):
    """The grace period of the previous secret."""

    grace_seconds: (
        Annotated[
            int,
            msgspec.Meta(
                ge=0,
                le=MAX_GRACE_SECONDS,
                description="Seconds for which the previous secret stays valid; without it, TM_ROTATION_GRACE_HOURS.",
            ),
        ]
        | None
    ) = None


class KeyBody(msgspec.Struct, frozen=True, kw_only=True):
    """An access key without its secret. `older_secret_ends_at`: when the secret before the last rotation expires.

    `last_used_at`: when a service last accepted the key, rounded down to ten minutes and reported up to about ten minutes
    later; null when no use was reported.
    """

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
    last_used_at: datetime | None

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
            last_used_at=key.last_used_at,
        )


class SecretBody(msgspec.Struct, frozen=True, kw_only=True):
    """An access key with its new secret. `key`: send it as `Authorization: Bearer`.

    The secret is not stored: it is in this response only, and null in a response replayed for an `Idempotency-Key`.
    """

    key: str | None
    access_key: KeyBody


class KeyPage(msgspec.Struct, frozen=True, kw_only=True):
    """Access keys by id. `next_cursor`: of the next page; null on the last page."""

    access_keys: list[KeyBody]
    next_cursor: str | None


def secret_response(stored: StoredKey, secret: AccessKey, *, status: int) -> Response[SecretBody]:
    """The access key with its secret; no cache may store the response."""
    body = SecretBody(key=secret.text, access_key=KeyBody.of(stored))
    return Response(body, status_code=status, headers=_NOT_CACHED)


def creation_record(stored: StoredKey) -> RecordedResponse:
    """The response to record for a creation, without the secret."""
    return _record(stored, 201)


def rotation_record(stored: StoredKey) -> RecordedResponse:
    """The response to record for a rotation, without the secret."""
    return _record(stored, 200)


def _record(stored: StoredKey, status: int) -> RecordedResponse:
    body = msgspec.json.encode(SecretBody(key=None, access_key=KeyBody.of(stored)))
    return RecordedResponse(status, _NOT_CACHED, body)


EXAMPLE_KEY = KeyBody(
    key_id="7jP2s9Xw4KbM",
    subject="ci-bot",
    role=Role.EDITOR,
    tenant="team-a",
    created_by="ada@example.com",
    created_at=datetime(2026, 3, 1, 9, 30, tzinfo=UTC),
    expires_at=datetime(2027, 3, 1, tzinfo=UTC),
    rotated_at=None,
    older_secret_ends_at=None,
    revoked_at=None,
    last_used_at=datetime(2026, 3, 9, 14, 20, tzinfo=UTC),
)
EXAMPLE_KEY_PAGE = KeyPage(access_keys=[EXAMPLE_KEY], next_cursor="N2pQMnM5WHc0S2JN")
EXAMPLE_SECRET = SecretBody(key="tm_7jP2s9Xw4KbM_…", access_key=EXAMPLE_KEY)
