"""Requests about access keys into what the use cases take."""

from datetime import UTC, datetime, timedelta
from typing import TypeVar

from control_plane.domain.access_keys import StoredKey
from control_plane.domain.requests import IdempotencyKey
from control_plane.errors import NoSuchKey
from control_plane.http.access_keys.payloads import NewPlatformKey, NewTenantKey, Rotation
from control_plane.http.access_keys.responses import creation_responses, rotation_responses
from control_plane.http.common import cursors
from control_plane.http.routes.parsing import AnyRequest, read_cursor, read_once, read_parameters
from control_plane.http.routes.payloads import KeyQuery
from shared.runtime.http.payload import read_body
from shared.schemas.access import is_key_id
from shared.schemas.identity import name_errors
from shared.schemas.validation import FieldError, InvalidInput

_N = TypeVar("_N", NewTenantKey, NewPlatformKey)


def accept_new_key(
    request: AnyRequest, tenant: str | None, body: bytes, into: type[_N]
) -> tuple[_N, IdempotencyKey[StoredKey] | None]:
    """The key that is asked for, and whether once only. It must not have ended already."""
    new, errors = read_body(body, into, {"expires_at": _refuse_past})
    once, once_errors = read_once(request, body, creation_responses)
    return _accepted(new, _tenant_errors(tenant) + errors + once_errors), once


def accept_rotation(
    request: AnyRequest, tenant: str | None, key_id: str, body: bytes
) -> tuple[timedelta | None, IdempotencyKey[StoredKey] | None]:
    """How long the older secret stays good, and whether this is asked for once only; a body may be missing or empty."""
    rotation, errors = read_body(body or b"{}", Rotation)
    once, once_errors = read_once(request, body, rotation_responses)
    seconds = _accepted(rotation, _tenant_errors(tenant) + errors + once_errors).grace_seconds
    accept_key_id(key_id)
    return None if seconds is None else timedelta(seconds=seconds), once


def accept_key_id(key_id: str) -> str:
    """A key's id from the path; one that can be none's is one that is not there. Raises NoSuchKey."""
    if not is_key_id(key_id):
        raise NoSuchKey(key_id[:80])
    return key_id


def accept_key_page(tenant: str | None, request: AnyRequest) -> tuple[str | None, int]:
    """Which keys a list asks for: start and limit."""
    query, errors = read_parameters(request, KeyQuery)
    after, cursor_errors = read_cursor(request, cursors.key_id)
    return after, _accepted(query, _tenant_errors(tenant) + errors + cursor_errors).limit


_T = TypeVar("_T")


def _accepted(value: _T | None, errors: list[FieldError]) -> _T:
    if value is None or errors:
        raise InvalidInput(tuple(errors))
    return value


def _tenant_errors(tenant: str | None) -> list[FieldError]:
    return name_errors(tenant=tenant) if tenant is not None else []


def _refuse_past(moment: datetime | None) -> None:
    if moment is not None and moment <= datetime.now(UTC):
        raise ValueError("must be in the future")
