"""Answers about access keys, and how they are documented."""

from datetime import UTC, datetime
from typing import Any

import msgspec
from litestar import Request, Response
from litestar.types import ExceptionHandlersMap

from control_plane.domain.access_keys import StoredKey
from control_plane.domain.requests import RecordedResponse
from control_plane.errors import AnsweredBefore
from control_plane.http.access_keys.payloads import KeyBody, SecretBody
from control_plane.http.common.responses import replayed
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


NOT_TO_BE_KEPT = {"Cache-Control": "no-store"}


def secret_answer(stored: StoredKey, secret: AccessKey, *, status: int) -> Response[SecretBody]:
    """The key's text, which nobody between here and the caller is to keep."""
    body = SecretBody(key=secret.text, access_key=KeyBody.of(stored))
    return Response(body, status_code=status, headers=NOT_TO_BE_KEPT)


def creation_responses(stored: StoredKey) -> RecordedResponse:
    """What is recorded of a creation: everything but the secret."""
    return _without_secret(stored, 201)


def rotation_responses(stored: StoredKey) -> RecordedResponse:
    """What is recorded of a rotation: everything but the secret."""
    return _without_secret(stored, 200)


def _without_secret(stored: StoredKey, status: int) -> RecordedResponse:
    return RecordedResponse(
        status, NOT_TO_BE_KEPT, msgspec.json.encode(SecretBody(key=None, access_key=KeyBody.of(stored)))
    )


def _again(_: Request[Any, Any, Any], before: AnsweredBefore) -> Response[bytes]:
    assert isinstance(before.answer, RecordedResponse)  # noqa: S101 - the errors stand below the domain and cannot name it
    return replayed(before.answer)


ANSWERS_GIVEN_AGAIN: ExceptionHandlersMap = {AnsweredBefore: _again}
