"""Answers about access keys, and how they are documented."""

from datetime import UTC, datetime

from litestar import Response

from control_plane.domain.access_keys import StoredKey
from control_plane.http.key_payloads import KeyBody, SecretBody
from shared.runtime.access.tokens import AccessKey
from shared.schemas.access import Role

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
)
EXAMPLE_SECRET = SecretBody(key="tm_7jP2s9Xw4KbM_…", access_key=EXAMPLE_KEY)


def secret_answer(stored: StoredKey, secret: AccessKey, *, status: int) -> Response[SecretBody]:
    """The key's text, which nobody between here and the caller is to keep."""
    body = SecretBody(key=secret.text, access_key=KeyBody.of(stored))
    return Response(body, status_code=status, headers={"Cache-Control": "no-store"})
