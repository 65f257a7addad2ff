"""Requests about access keys, parsed, with every error reported at once."""

from datetime import UTC, datetime, timedelta
from typing import TypeVar

from control_plane.domain.access_keys import StoredKey
from control_plane.domain.requests import IdempotencyKey
from control_plane.errors import NoSuchKey
from control_plane.http.access_keys.payloads import (
    KeyQuery,
    NewPlatformKey,
    NewTenantKey,
    Rotation,
    creation_record,
    rotation_record,
)
from control_plane.http.common.cursors import decode_key_id
from control_plane.http.common.idempotency import read_idempotency_key
from control_plane.http.common.parsing import AnyRequest, accepted, read_parameters
from shared.runtime.http.payload import read_body
from shared.schemas.access import is_key_id
from shared.schemas.identity import name_errors
from shared.schemas.validation import FieldError

_N = TypeVar("_N", bound=NewTenantKey | NewPlatformKey)


def accept_new_key(
    request: AnyRequest, tenant: str | None, body: bytes, into: type[_N]
) -> tuple[_N, IdempotencyKey[StoredKey] | None]:
    """The access key to create, and the request's idempotency key. Raises InvalidInput."""
    new, errors = read_body(body, into, {"expires_at": _check_future})
    key, key_errors = read_idempotency_key(request, body, creation_record)
    return accepted(new, _tenant_errors(tenant), errors, key_errors), key


def accept_rotation(
    request: AnyRequest, tenant: str | None, key_id: str, body: bytes
) -> tuple[timedelta | None, IdempotencyKey[StoredKey] | None]:
    """For how long the previous secret stays valid, and the request's idempotency key; the body is optional.

    Raises InvalidInput and NoSuchKey.
    """
    rotation, errors = read_body(body or b"{}", Rotation)
    key, key_errors = read_idempotency_key(request, body, rotation_record)
    seconds = accepted(rotation, _tenant_errors(tenant), errors, key_errors).grace_seconds
    accept_key_id(key_id)
    return None if seconds is None else timedelta(seconds=seconds), key


def accept_key_id(key_id: str) -> str:
    """The access key's id in the path. Raises NoSuchKey, also for a text that no id can be."""
    if not is_key_id(key_id):
        raise NoSuchKey(key_id[:80])
    return key_id


def accept_key_page(request: AnyRequest, tenant: str | None) -> tuple[str | None, int]:
    """The id after which the requested page of access keys begins, and its limit. Raises InvalidInput."""
    query, errors = read_parameters(request, KeyQuery, decode_cursor=decode_key_id)
    query = accepted(query, _tenant_errors(tenant), errors)
    return None if query.cursor is None else decode_key_id(query.cursor), query.limit


def _tenant_errors(tenant: str | None) -> list[FieldError]:
    return name_errors(tenant=tenant) if tenant is not None else []


def _check_future(moment: datetime | None) -> None:
    if moment is not None and moment <= datetime.now(UTC):
        raise ValueError("must be in the future")
