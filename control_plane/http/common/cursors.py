"""Page cursors: opaque texts that hold the position at which the next page begins."""

import base64
import binascii
from collections.abc import Callable, Sequence
from typing import TypeVar

from control_plane.domain.routes import RoutePosition
from shared.schemas.access import is_key_id
from shared.schemas.identity import RouteKey, name_errors

_T = TypeVar("_T")


class InvalidCursor(ValueError):
    """The text is not a cursor of this list."""

    def __init__(self) -> None:
        super().__init__(
            "is not a cursor of this list; pass the `next_cursor` of a page unchanged, or none for the first page"
        )


def next_cursor(items: Sequence[_T], limit: int, encode: Callable[[_T], str]) -> str | None:
    """The cursor of the page after the first `limit` items. None when there are no further items."""
    return encode(items[limit - 1]) if len(items) > limit else None


def encode_route(route: RouteKey | RoutePosition) -> str:
    """The cursor of the routes after this one. No part of a key contains `:`."""
    return _encode(f"{route.service}:{route.env}:{route.version}")


def decode_route(cursor: str) -> RoutePosition:
    """The position after which the page of routes begins. Raises InvalidCursor."""
    parts = _decode(cursor).split(":")
    if len(parts) != 3 or name_errors(service=parts[0], env=parts[1], version=parts[2]):
        raise InvalidCursor
    return RoutePosition(*parts)


def encode_tenant(name: str) -> str:
    """The cursor of the tenants after this one."""
    return _encode(name)


def decode_tenant(cursor: str) -> str:
    """The name after which the page of tenants begins. Raises InvalidCursor."""
    name = _decode(cursor)
    if name_errors(tenant=name):
        raise InvalidCursor
    return name


def encode_revision(revision: int) -> str:
    """The cursor of the change sets before this revision."""
    return _encode(str(revision))


def decode_revision(cursor: str) -> int:
    """The revision before which the page of change sets begins. Raises InvalidCursor."""
    text = _decode(cursor)
    if not 1 <= len(text) <= 18 or not text.isdecimal():
        raise InvalidCursor
    return int(text)


def encode_key_id(key_id: str) -> str:
    """The cursor of the access keys after this one."""
    return _encode(key_id)


def decode_key_id(cursor: str) -> str:
    """The id after which the page of access keys begins. Raises InvalidCursor."""
    key_id = _decode(cursor)
    if not is_key_id(key_id):
        raise InvalidCursor
    return key_id


def _encode(text: str) -> str:
    return base64.urlsafe_b64encode(text.encode()).decode().rstrip("=")


def _decode(cursor: str) -> str:
    try:
        return base64.b64decode(cursor + "=" * (-len(cursor) % 4), altchars=b"-_", validate=True).decode("ascii")
    except (binascii.Error, ValueError):
        raise InvalidCursor from None
